"""Measure an exported file on the data with which a config is tested."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from effnet_dense.data.config_walk import metrics_of, type_name
from effnet_dense.data.model_classes import config_meta
from effnet_dense.inference.exported import ExportedModel
from effnet_dense.runtimes.session import open_session

METRICS = {'detection': 'coco/bbox_mAP', 'semantic': 'mIoU'}
"""Task → the figure by which files are compared."""
DRAWN = 'ConfusionMatrix'
"""Gives a drawing, no figure."""


class Accuracy(NamedTuple):
    """A figure: its name, its value, and the images on which it was measured."""

    metric: str
    value: float
    images: int


def measure(path: Path, config: Config) -> Accuracy:
    """Evaluate a file by its runtime, through the config's test pipeline and evaluator.

    Args:
        path: The exported file.
        config: With the data.

    Raises:
        ValueError: The evaluator has no known figure.
    """
    init_default_scope(config.default_scope)
    model = ExportedModel(open_session(path))
    metadata = model.session.metadata
    settings = {**copy.deepcopy(dict(config.test_dataloader)), 'num_workers': 0}
    settings.update(persistent_workers=False)
    loader = Runner.build_dataloader(settings, seed=0)
    dataset: Any = loader.dataset
    metrics = [m for m in metrics_of(config.test_evaluator) if type_name(m) != DRAWN]
    evaluator = Evaluator(copy.deepcopy(metrics))
    evaluator.dataset_meta = dataset.metainfo
    with torch.no_grad():
        for batch in loader:
            evaluator.process(data_samples=model.test_step(batch), data_batch=batch)
    found = evaluator.evaluate(len(dataset))
    metric = METRICS[metadata.task]
    if metric not in found:
        raise ValueError(f'expected the test_evaluator to give {metric}, got {", ".join(found)}')
    return Accuracy(metric, float(found[metric]), len(dataset))


def check_classes(config: Config, classes: Sequence[str]) -> None:
    """Check that a config's test data has a model's classes.

    Raises:
        ValueError: It has others.
    """
    found = config_meta(config)['classes']
    if list(found) != list(classes):
        raise ValueError(
            f'expected data with the classes of the model, {_shown(classes)}, to measure its '
            f'accuracy, got {_shown(found)}'
        )


def _shown(classes: Any) -> str:
    names = ', '.join(list(classes)[:5])
    return names + (', …' if len(classes) > 5 else '')
