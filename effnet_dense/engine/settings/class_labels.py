"""Keep some classes of label maps: pixels of the others have no class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from effnet_dense.data.config_walk import leaf_datasets, type_name
from effnet_dense.data.label_maps.decode import NO_CLASS

LOADERS = ('LoadAnnotations', 'LoadLabelMap')


def choose_labels(
    dataset: Any, before: Sequence[str], names: Sequence[str], named_by_type: bool
) -> None:
    """Renumber the labels of a data set.

    Args:
        dataset: Its config; the steps of its pipeline that load label maps are changed in place.
        before: Its classes.
        names: Those to keep, in the order of their new labels.
        named_by_type: Whether its type has classes: then mmseg renumbers by `metainfo.classes`.
    """
    chosen = list(names)
    labels = [chosen.index(name) if name in chosen else NO_CLASS for name in before]
    for step in _loaders(dataset.get('pipeline')):
        if not named_by_type:
            reduced = dataset.get('reduce_zero_label') or step.get('reduce_zero_label')
            _renumber(step, labels, bool(reduced))
        if step.get('num_classes') is not None:
            step['num_classes'] = len(names)
    if not named_by_type:
        dataset.pop('reduce_zero_label', None)  # the tables of values say it


def choose_tta_labels(pipeline: Any, dataset: Any) -> None:
    """Load label maps in a pipeline for test-time augmentation as the tested data set does."""
    tested = next(iter(leaf_datasets(dataset)))
    loader = next(_loaders(tested.get('pipeline')), None)
    for step in _loaders(pipeline) if loader is not None else ():
        step.clear()
        step.update(loader)


def _renumber(step: Any, labels: Sequence[int], reduced: bool) -> None:
    """Give a loader a table of values or colours with other labels; also replaces mmseg's loader.

    Args:
        step: Changed in place.
        labels: Former label → new label, or 255.
        reduced: Whether value 0 has no class, and value n the former label n − 1.
    """

    def new(value: int) -> int:
        label = value - reduced
        return labels[label] if 0 <= label < len(labels) else NO_CLASS

    values, colours = step.get('values'), step.get('colours')
    if colours is not None:
        step['colours'] = {code: new(label) for code, label in colours.items()}
    elif values is not None:
        step['values'] = {value: new(label) for value, label in values.items()}
    else:
        ignore = step.pop('ignore', NO_CLASS)
        table = {str(value): new(value) for value in range(len(labels) + reduced)}
        step['values'] = table | ({} if ignore is None else {str(ignore): NO_CLASS})
    if type_name(step) == 'LoadAnnotations' or step.get('num_classes') is None:
        step['num_classes'] = len(labels)
    for key in [*step]:
        if key not in ('backend_args', 'colours', 'num_classes', 'unknown_ignored', 'values'):
            del step[key]
    step['type'] = 'effnet_dense.LoadLabelMap'


def _loaders(node: Any) -> Iterator[Any]:
    """Yield the steps that load a label map, including nested ones."""
    if isinstance(node, list | tuple):
        for child in node:
            yield from _loaders(child)
    elif isinstance(node, Mapping):
        if type_name(node) in LOADERS:
            yield node
        else:
            yield from _loaders(list(node.values()))
