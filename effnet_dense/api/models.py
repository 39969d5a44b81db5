"""List the models that come with the package: configs and backbones, with sizes and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from effnet_dense.analysis.scaling.published import CLASSIFIERS
from effnet_dense.api.arguments import named_arguments
from effnet_dense.api.backbones import LICENSE, SIZES, WEIGHTS
from effnet_dense.scaling import architecture
from effnet_dense.utils.shipped import shipped

INDEX = 'model-index.yml'
Task = Literal['detection', 'instance', 'panoptic', 'segmentation', 'backbone']
TASKS: tuple[Task, ...] = get_args(Task)
_INDEX_TASKS: dict[str, Task] = {
    'Object Detection': 'detection',
    'Instance Segmentation': 'instance',
    'Panoptic Segmentation': 'panoptic',
    'Semantic Segmentation': 'segmentation',
}


@dataclass(frozen=True)
class Figure:
    """An accuracy in percent.

    Attributes:
        metric: Such as 'box AP'.
        value: In percent.
        dataset: What it was evaluated on.
        source: Who published it, or how it was trained here.
    """

    metric: str
    value: float
    dataset: str
    source: str


@dataclass(frozen=True)
class ModelInfo:
    """A shipped config, or a backbone.

    Attributes:
        name: What `effnet_dense.train`, or `--backbone`, takes.
        task: 'detection', 'instance', 'panoptic', 'segmentation' or 'backbone'.
        input_size: (height, width) of the training images in pixels.
        parameters: Number of parameters, for the config's own classes.
        multiply_adds: Of one image at that size.
        counted: What `multiply_adds` counts if that is not all of the model, else ''. What follows
            the RPN of a two-stage detector depends on the number of proposals.
        figures: Published and measured accuracies; () for a config that nobody has trained.
        weights: Source of the weights from which training starts.
        license: Of these weights, as their distributor states it.
        config: The config's file; None for a backbone.
    """

    name: str
    task: Task
    input_size: tuple[int, int]
    parameters: int
    multiply_adds: int
    counted: str
    figures: tuple[Figure, ...]
    weights: str
    license: str
    config: Path | None = None


@named_arguments
def list_models(task: str | None = None, pattern: str | None = None) -> list[ModelInfo]:
    """List the shipped configs, and then the backbones.

        effnet_dense.list_models('segmentation', '*camvid')

    Args:
        task: One of `TASKS`; by default all.
        pattern: A part of the name, or the whole of it with `*` and `?`.

    Returns:
        The models in the order of the model index; [] if none matches.

    Raises:
        ValueError: An unknown task.
        FileNotFoundError: The installation lacks the model index.
    """
    if task is not None and task not in TASKS:
        raise ValueError(f'task must be one of {", ".join(TASKS)}, got {task!r}')
    return [
        model for model in _models() if task in (None, model.task) and _matches(model.name, pattern)
    ]


def _matches(name: str, pattern: str | None) -> bool:
    if pattern is None:
        return True
    pattern = pattern.lower().removesuffix('.py')
    return fnmatchcase(name, pattern if set('*?[') & set(pattern) else f'*{pattern}*')


@cache
def _models() -> tuple[ModelInfo, ...]:
    import yaml

    index = yaml.safe_load(shipped(INDEX).read_text(encoding='utf-8'))
    entries = sorted(map(_config, index['Models']), key=lambda model: TASKS.index(model.task))
    return (*entries, *_backbones())


def _config(entry: Mapping[str, Any]) -> ModelInfo:
    """Read an entry of the model index; errors name the file and the entry."""
    try:
        return _read(entry)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        name = entry.get('Name', entry) if isinstance(entry, Mapping) else entry
        what = f'lacks {error}' if isinstance(error, KeyError) else f'is damaged: {error}'
        raise ValueError(f'{INDEX}: the entry {name!r} {what}') from error


def _read(entry: Mapping[str, Any]) -> ModelInfo:
    """Read a sound entry of the model index."""
    about = entry['Metadata']
    size = about['Input Size']
    height, width = size if isinstance(size, list) else (size, size)
    return ModelInfo(
        name=entry['Name'],
        task=_INDEX_TASKS[about['Task']],
        input_size=(height, width),
        parameters=about['Parameters'],
        multiply_adds=about['FLOPs'],
        counted=about.get('FLOPs Of', ''),
        figures=tuple(
            Figure(metric, float(value), result['Dataset'], about['Figures'])
            for result in entry['Results']
            for metric, value in result['Metrics'].items()
        ),
        weights=about['Starting Weights'],
        license=about['Weights License'],
        config=shipped(entry['Config']),
    )


def _backbones() -> Iterator[ModelInfo]:
    for name, (parameters, multiply_adds) in SIZES.items():
        side = architecture(name).resolution
        found = CLASSIFIERS.get(name)
        figures: tuple[Figure, ...] = ()
        if found is not None:
            metric, _, condition = found.metric.partition(', ')
            source = f'{found.source}, {condition}' if condition else found.source
            dataset, _, short = metric.partition(' ')
            figures = (Figure(short, found.value, dataset, source),)
        yield ModelInfo(
            name=name,
            task='backbone',
            input_size=(side, side),
            parameters=parameters,
            multiply_adds=multiply_adds,
            counted='',
            figures=figures,
            weights=WEIGHTS[name],
            license=LICENSE,
        )
