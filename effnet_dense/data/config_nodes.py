"""Finding things in a config: data sets inside wrappers, metrics inside evaluators, types."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator
from typing import Any

SPLIT_OF = {'train': 'train', 'val': 'val', 'test': 'val'}
"""Loop of the runner → part of the data set."""


def palette(num_classes: int) -> list[tuple[int, int, int]]:
    """As many well-spread RGB colours (0–255) as there are classes.

    Steps of the golden ratio around the circle of hues keep any number of them apart.
    """
    colours = []
    for i in range(num_classes):
        red, green, blue = colorsys.hsv_to_rgb(i * 0.618034 % 1, 1 - i % 3 * 0.2, 1 - i % 2 * 0.25)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours


def leaf_datasets(dataset: Any) -> Iterator[Any]:
    """The data sets inside wrappers such as RepeatDataset and ConcatDataset, outermost first."""
    if 'datasets' in dataset:
        for child in dataset['datasets']:
            yield from leaf_datasets(child)
    elif 'dataset' in dataset:
        yield from leaf_datasets(dataset['dataset'])
    else:
        yield dataset


def type_name(node: Any) -> str:
    """'CocoDataset' of type='CocoDataset', 'mmdet.CocoDataset' or the class itself."""
    kind = node.get('type', '')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
    return name.rpartition('.')[2]


def keep_first(dataset: Any) -> None:
    """Of several concatenated data sets one is left: the user's folder counts once."""
    if 'datasets' in dataset:
        dataset['datasets'] = dataset['datasets'][:1]
        keep_first(dataset['datasets'][0])
    elif 'dataset' in dataset:
        keep_first(dataset['dataset'])


def metrics_of(evaluator: Any) -> list[Any]:
    """The metrics of an evaluator: one, a list, or an Evaluator's `metrics`."""
    if evaluator is None:
        return []
    if isinstance(evaluator, list | tuple):
        return [metric for part in evaluator for metric in metrics_of(part)]
    return metrics_of(evaluator['metrics']) if 'metrics' in evaluator else [evaluator]
