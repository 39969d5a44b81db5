"""`--classes`: some of the data's classes, in an order of one's own, in all parts of the data.

Objects of other classes are left out. In label maps their pixels are ignored, as mmseg does with
`metainfo.classes`: they count neither in the loss nor in the evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import list_from_file
from mmengine.registry import DATASETS

from effnet_dense.data.coco import has_stuff, set_num_classes
from effnet_dense.data.config_walk import (
    is_segmentation,
    loop_datasets,
    loops_of,
    metrics_of,
    type_name,
)
from effnet_dense.data.folders import SPLITS
from effnet_dense.data.label_maps import set_segmentation_classes
from effnet_dense.data.palette import palette
from effnet_dense.engine.checkpoint_of_run import has_own_classes
from effnet_dense.engine.settings.class_annotations import AnnotationFiles
from effnet_dense.engine.settings.class_labels import choose_labels, choose_tta_labels
from effnet_dense.utils.near_names import listed, with_nearest

METRICS = ('CocoMetric', 'LVISMetric', 'VOCMetric')
"""Metrics of objects that evaluate the classes of the data set."""
OTHER_METRICS = ('CityscapesMetric', 'DepthMetric')
"""Metrics of label maps that do not."""


def set_classes(
    config: Config, names: Sequence[str], scratch: Path, splits: Sequence[str] = SPLITS
) -> None:
    """Keep some classes of the data, and set up heads and evaluators for them.

    Args:
        config: Changed in place.
        names: The classes to keep, in the order of their labels.
        scratch: Folder for annotation files with these classes alone.
        splits: ('train', 'val') for training, ('val',) for testing.

    Raises:
        FileNotFoundError: An annotation file is missing.
        ValueError: A name is unknown or repeated, or the config's data or model has no classes
            that can be chosen.
    """
    _check_names(names)
    if has_stuff(config.model):
        raise ValueError(
            f'--classes {_flag(names)}: a panoptic model has things and stuff, of which a list '
            'of names does not say which is which: write num_things_classes, num_stuff_classes '
            'and metainfo in the config'
        )
    loops = loops_of(splits)
    datasets = [(loop, d) for loop in loops for d in loop_datasets(config, loop)]
    if not datasets:
        raise ValueError(f'--classes {_flag(names)}: the config has no data')
    before = [_declared(config, dataset) for _, dataset in datasets]
    for classes, (loop, _) in zip(before, datasets, strict=True):
        _check_known(names, [name for name, _ in classes], loop)
    if is_segmentation(config):
        _choose_in_label_maps(config, names, datasets, before)
    else:
        _choose_in_annotations(config, names, datasets, before, scratch)
    if has_own_classes(config):
        _set_heads(config, names, [name for name, _ in before[0]])


def _check_names(names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if not names or repeated:
        what = f'{listed(repeated)} twice' if repeated else 'none'
        raise ValueError(f'--classes expects different names of classes, got {what}')


def _check_known(names: Sequence[str], known: Sequence[str], loop: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        whose = 'the data' if loop == 'train' else f'the {loop} data'
        what = 'class' if len(known) == 1 else f'{len(known)} classes'
        raise ValueError(
            f'--classes: {whose} have no class '
            f'{with_nearest(unknown, known)}; their {what}: {listed(known, 20)}'
        )


def _declared(config: Config, dataset: Any) -> list[tuple[str, Any]]:
    """Return a data set's classes with their colours, without reading its files."""
    meta = {**getattr(_kind(config, dataset), 'METAINFO', {}), **(dataset.get('metainfo') or {})}
    classes: Any = meta.get('classes') or ()
    if isinstance(classes, str):
        classes = list_from_file(classes) if Path(classes).is_file() else [classes]
    colours = meta.get('palette')
    if not isinstance(colours, list | tuple) or len(colours) != len(classes):
        colours = palette(len(classes))
    return list(zip(classes, colours, strict=True))


def _kind(config: Config, dataset: Any) -> Any:
    kind = dataset['type']
    if isinstance(kind, str):
        with DATASETS.switch_scope_and_registry(config.get('default_scope')) as registry:
            kind = registry.get(kind)
    return kind


def _choose_in_annotations(
    config: Config,
    names: Sequence[str],
    datasets: Sequence[tuple[str, Any]],
    before: Sequence[Sequence[tuple[str, Any]]],
    scratch: Path,
) -> None:
    """Point data sets and metrics at annotation files of the chosen classes."""
    files = AnnotationFiles(names, scratch)
    loops = dict.fromkeys(loop for loop, _ in datasets)
    for loop in loops:
        for metric in metrics_of(config.get(f'{loop}_evaluator')):
            if type_name(metric) not in METRICS:
                raise ValueError(
                    f'--classes {_flag(names)}: {type_name(metric)} in {loop}_evaluator evaluates '
                    f'classes of its own; expected {" or ".join(METRICS)}'
                )
    for (loop, dataset), classes in zip(datasets, before, strict=True):
        files.choose(loop, dataset, [base.__name__ for base in _kind(config, dataset).__mro__])
        dataset['metainfo'] = _metainfo(names, classes)
    for loop in loops:
        for metric in metrics_of(config.get(f'{loop}_evaluator')):
            if metric.get('ann_file'):
                metric['ann_file'] = str(files.written(metric['ann_file'], loop))
    files.log()


def _choose_in_label_maps(
    config: Config,
    names: Sequence[str],
    datasets: Sequence[tuple[str, Any]],
    before: Sequence[Sequence[tuple[str, Any]]],
) -> None:
    """Ignore the pixels of other classes, and renumber those of the chosen ones."""
    if len(names) < 2:
        raise ValueError(
            f'--classes {_flag(names)}: pixels of other classes are ignored, so that one class '
            'leaves nothing to tell apart; name at least two'
        )
    for loop in dict.fromkeys(loop for loop, _ in datasets):
        for metric in metrics_of(config.get(f'{loop}_evaluator')):
            if type_name(metric) in OTHER_METRICS:
                raise ValueError(
                    f'--classes {_flag(names)}: {type_name(metric)} in {loop}_evaluator evaluates '
                    'classes of its own; expected an IoUMetric'
                )
    for (_, dataset), classes in zip(datasets, before, strict=True):
        named_by_type = bool(getattr(_kind(config, dataset), 'METAINFO', {}).get('classes'))
        choose_labels(dataset, [name for name, _ in classes], names, named_by_type)
        dataset['metainfo'] = _metainfo(names, classes)
    tested = config.get('test_dataloader') or config.get('val_dataloader')
    if tested and config.get('tta_pipeline'):
        choose_tta_labels(config.tta_pipeline, tested.dataset)


def _metainfo(names: Sequence[str], classes: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    colours = dict(classes)
    return dict(classes=tuple(names), palette=[colours[name] for name in names])


def _set_heads(config: Config, names: Sequence[str], before: Sequence[str]) -> None:
    """Set the number of classes in heads and losses; weights of classes follow their names."""
    for node in _parts(config.model):
        weights = node.get('class_weight')
        others = len(weights) - len(before) if isinstance(weights, list | tuple) else -1
        if others in (0, 1):  # with one more for background, or for no object
            chosen = [weights[list(before).index(name)] for name in names]
            node['class_weight'] = [*chosen, *weights[len(before) :]]
    if is_segmentation(config):
        set_segmentation_classes(config.model, len(names))
    else:
        set_num_classes(config.model, len(names))


def _parts(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        yield node
    children = node.values() if isinstance(node, Mapping) else node
    for child in children if isinstance(node, Mapping | list | tuple) else ():
        if isinstance(child, Mapping | list | tuple):
            yield from _parts(child)


def _flag(names: Sequence[str]) -> str:
    return ' '.join(names)
