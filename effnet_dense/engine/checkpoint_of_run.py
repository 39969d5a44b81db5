"""Compare a checkpoint with a run: its classes, and the settings that it was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.runner import BaseLoop

from effnet_dense.data.coco.label_order import DECLARED, classes_of
from effnet_dense.data.model_classes import checkpoint_meta, config_meta, model_for
from effnet_dense.engine.checks.classes import (
    label_map,
    mapping_message,
    named_by_file,
    other_classes_message,
)
from effnet_dense.engine.checks.saved_settings import compare_with_saved
from effnet_dense.engine.hooks.mapped_classes import MappedClassesHook
from effnet_dense.utils.urls import public_name
from effnet_dense.weights import LoadReport, fetch
from effnet_dense.weights.safe import safe_load
from effnet_dense.weights.sources import coco_detector


def saved_classes(source: str, checkpoint: Any = None) -> tuple[tuple[str, ...], Any]:
    """Return the classes that a checkpoint names, () if none, and its `meta`.

    Published detectors of COCO name none in their files.

    Args:
        source: The checkpoint.
        checkpoint: What it holds, if it is loaded already.

    Raises:
        FileNotFoundError, ValueError: See `safe_load` and `checkpoint_meta`.
    """
    if checkpoint is None:
        checkpoint = safe_load(fetch(source))
    found = checkpoint_meta(checkpoint, public_name(source))
    if found:
        return found['classes'], checkpoint['meta']
    if coco_detector(source) is None:
        return (), None
    from mmdet.datasets import CocoDataset  # takes seconds to import

    return tuple(CocoDataset.METAINFO['classes']), None


def use_classes_of(config: Config, source: str) -> None:
    """Build a tested model's heads for the number of classes that its checkpoint names.

    Args:
        config: Its `model` is changed if the data has another number of classes.
        source: The checkpoint.
    """
    names, _ = saved_classes(source)
    if not names or not has_own_classes(config):
        return
    try:
        declared = config_meta(config)['classes']
    except ValueError:  # no test data, or none with classes: reported when it is built
        return
    if len(names) != len(declared):
        config.model = model_for(config, names)


def has_own_classes(config: Config) -> bool:
    """Whether a model has classes of its own; others, with a text encoder, take any names."""
    model = config.get('model') or {}
    return not model.get('language_model') and not model.get('text_encoder')


def compare_checkpoint(runner: Any, source: str) -> None:
    """Compare a tested checkpoint's settings with the config's, and map its classes by name.

    Raises:
        ValueError: The data has names that the checkpoint lacks, or the backbones differ.
    """
    checkpoint = safe_load(fetch(source))
    compare_with_saved(runner.cfg, checkpoint, public_name(source))
    if not isinstance(runner._test_loop, BaseLoop) or not has_own_classes(runner.cfg):
        return
    dataset = runner.test_dataloader.dataset
    data = classes_of(dataset)
    names, meta = saved_classes(source, checkpoint)
    # Without names in the checkpoint, its labels are what the config calls them.
    names = named_by_file(names, dataset, meta) if names else getattr(dataset, DECLARED, ())
    if names and data:
        map_classes(runner, names, dataset, public_name(source))


def map_classes(runner: Any, names: Sequence[str], dataset: Any, source: str) -> None:
    """Map a tested model's classes to those of the data by name, if they differ.

    Args:
        runner: Which tests it.
        names: The model's, in the order of its labels.
        dataset: Built; without classes nothing is mapped.
        source: The model's file, for messages.

    Raises:
        ValueError: The data has names that the model lacks.
    """
    data = classes_of(dataset)
    labels = label_map(names, data, source) if data else None
    if labels is not None:
        runner.logger.warning(mapping_message(names, data, source))
        runner.register_hook(MappedClassesHook(labels, len(data)), priority='LOWEST')


def log_other_classes(runner: Any, source: str, report: LoadReport) -> None:
    """Log what a training begins with whose `load_from` has other classes."""
    if not has_own_classes(runner.cfg):
        return
    names, _ = saved_classes(source)
    data = classes_of(runner.train_dataloader.dataset)
    message = other_classes_message(names, data, report.loaded, report.missing)
    if message:
        runner.logger.warning(message)
