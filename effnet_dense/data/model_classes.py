"""Find the classes of a model, in its checkpoint or else in its config."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS

from effnet_dense.data.coco import has_stuff, set_num_classes
from effnet_dense.data.config_walk import is_segmentation, leaf_datasets
from effnet_dense.data.label_maps import set_segmentation_classes
from effnet_dense.data.palette import palette
from effnet_dense.utils.controls import bad_names

Meta = dict[str, Any]


def checkpoint_meta(checkpoint: Any, name: str) -> Meta | None:
    """Return the `dataset_meta` of an mmengine checkpoint, None if it has no classes.

    Only names and colours are read: the config in the checkpoint is Python code and is not run.

    Args:
        checkpoint: The loaded checkpoint.
        name: The checkpoint's name, for messages.

    Returns:
        {'classes': (str, …), 'palette': [(R, G, B), …]}

    Raises:
        ValueError: The classes are not a list of names.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None
    if not isinstance(meta, Mapping):
        return None
    found = meta.get('dataset_meta', meta)  # before mmdet 3 and mmseg 1: meta['CLASSES']
    if not isinstance(found, Mapping):
        raise ValueError(f"{name}: expected a dict as 'dataset_meta', got {found!r:.60}")
    lowered = {str(key).lower(): value for key, value in found.items()}
    if lowered.get('classes') is None:
        return None
    return _checked(lowered, name)


def config_meta(config: Config) -> Meta:
    """Return the classes and colours of the config's test data, without opening its files.

    Raises:
        ValueError: The config has no test data, or its dataset type has no classes.
    """
    dataset = test_dataset(config)
    kind = dataset['type']
    if isinstance(kind, str):
        with DATASETS.switch_scope_and_registry(config.get('default_scope')) as registry:
            kind = registry.get(kind)
    known = {**getattr(kind, 'METAINFO', {}), **(dataset.get('metainfo') or {})}
    if known.get('classes') is None:
        raise ValueError(
            f'neither the checkpoint nor {config.filename} names the classes: set '
            "test_dataloader.dataset.metainfo=dict(classes=('first', …)) in the config"
        )
    return _checked(known, str(config.filename))


def test_dataset(config: Config) -> Any:
    """Return the config of the (first) test dataset.

    Raises:
        ValueError: There is none.
    """
    dataloader = config.get('test_dataloader') or config.get('val_dataloader')
    if not dataloader:
        raise ValueError(f'{config.filename} has no test_dataloader, whose pipeline is needed')
    return next(iter(leaf_datasets(dataloader['dataset'])))


def model_for(config: Config, classes: Sequence[str]) -> Any:
    """Copy the model's config with heads for this number of classes, as `--data` sets them.

    Panoptic models are unchanged, because names do not distinguish things from stuff.
    """
    model = copy.deepcopy(config.model)
    if is_segmentation(config):
        set_segmentation_classes(model, len(classes))
    elif not has_stuff(model):
        set_num_classes(model, len(classes))
    return model


def _checked(meta: Mapping[str, Any], name: str) -> Meta:
    classes = meta['classes']
    if isinstance(classes, str):
        classes = (classes,)
    if not _is_list(classes) or not classes or not all(isinstance(c, str) for c in classes):
        raise ValueError(f"{name}: expected names of classes as 'classes', got {classes!r:.60}")
    if wrong := bad_names(classes):
        raise ValueError(f'{name}: names of classes: {wrong}')
    colours: Any = meta.get('palette')
    if not _is_palette(colours) or len(colours) < len(classes):
        colours = palette(len(classes))
    return {'classes': tuple(classes), 'palette': [tuple(c) for c in colours[: len(classes)]]}


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_palette(value: Any) -> bool:
    return _is_list(value) and all(_is_colour(colour) for colour in value)


def _is_colour(value: Any) -> bool:
    return _is_list(value) and len(value) == 3 and all(_is_byte(channel) for channel in value)


def _is_byte(value: Any) -> bool:
    return type(value) is int and 0 <= value < 256
