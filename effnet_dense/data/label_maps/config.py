"""A folder of label maps → the fields of an mmseg config that depend on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.data.coco.source import SPLITS
from effnet_dense.data.config_nodes import (
    SPLIT_OF,
    keep_first,
    leaf_datasets,
    metrics_of,
    palette,
    type_name,
)
from effnet_dense.data.label_maps.decode import NO_CLASS
from effnet_dense.data.label_maps.heads import set_segmentation_classes
from effnet_dense.data.label_maps.source import LabelSource, find_labels

LOADERS = ('LoadAnnotations', 'LoadLabelMap')

PREFIXES = ('img_path', 'seg_map_path')

KEPT = ('pipeline', 'indices', 'lazy_init', 'max_refetch', 'serialize_data', 'test_mode')
"""Arguments of a data set that have nothing to do with its files."""

OWN_FILES = ('CityscapesMetric', 'DepthMetric')
"""Metrics of mmseg's that read files of one data set, or something else than classes."""


def use_label_maps(cfg: Config, folder: str | Path, splits: Sequence[str] = SPLITS) -> LabelSource:
    """Point a config of mmseg's at a folder of label maps (arguments: see `use_data`).

    Raises:
        FileNotFoundError: the folder, a part of the data set, images or label maps are missing.
        ValueError: label maps that cannot be used, or a config that does not read any.
    """
    _refuse_foreign(cfg, splits)
    source = find_labels(folder, splits)
    print_log(source.summary())
    for loop, name in SPLIT_OF.items():
        if name in source.splits:
            _set_datasets(cfg.get(f'{loop}_dataloader'), source, name)
            _set_evaluator(cfg.get(f'{loop}_evaluator'))
    _set_loaders(cfg.get('tta_pipeline'), source)
    if not set_segmentation_classes(cfg.model, len(source.classes)):
        raise ValueError(f'--data found no head that counts classes in {sorted(cfg.model)}')
    return source


def _refuse_foreign(cfg: Config, splits: Sequence[str]) -> None:
    """Only data sets of one image and one label map a sample can be pointed at the user's."""
    for loop in (loop for loop, name in SPLIT_OF.items() if name in splits):
        dataloader = cfg.get(f'{loop}_dataloader')
        for dataset in leaf_datasets(dataloader['dataset']) if dataloader else ():
            _expect_label_maps(dataset, f'{loop}_dataloader')
        for metric in metrics_of(cfg.get(f'{loop}_evaluator')):
            if type_name(metric) in OWN_FILES:
                raise ValueError(
                    f'--data needs a config for label maps: expected an IoUMetric in '
                    f'{loop}_evaluator, got {type_name(metric)}'
                )


def _expect_label_maps(dataset: Any, where: str) -> None:
    what = f'--data needs a config for label maps: expected {{}} in {where}, got {{}}'
    others = sorted(set(dataset.get('data_prefix') or ()) - set(PREFIXES))
    if others:
        name = f'{type_name(dataset)} with {", ".join(others)}'
        raise ValueError(what.format(f'a data set with {" and ".join(PREFIXES)}', name))
    pipeline = dataset.get('pipeline') or []
    if not any(_loaders(pipeline)):
        names = ', '.join(type_name(step) for step in pipeline) or 'no pipeline'
        raise ValueError(what.format(f'{LOADERS[0]} or effnet_dense.{LOADERS[1]}', names))


def _loaders(node: Any) -> Iterator[Any]:
    """The steps of a pipeline that load a label map, also within other steps."""
    if isinstance(node, list | tuple):
        for child in node:
            yield from _loaders(child)
    elif isinstance(node, dict):
        if type_name(node) in LOADERS:
            yield node
        else:
            yield from _loaders(list(node.values()))


def _set_loaders(pipeline: Any, source: LabelSource) -> None:
    for step in _loaders(pipeline):
        step.clear()
        step['type'] = 'effnet_dense.LoadLabelMap'
        step['num_classes'] = len(source.classes)
        step['ignore'] = source.ignore


def _set_datasets(dataloader: Any, source: LabelSource, name: str) -> None:
    if dataloader is None:
        return
    keep_first(dataloader['dataset'])
    split = source.splits[name]
    folders = (split.image_dir, split.label_dir)
    prefixes = [f'{folder.relative_to(source.root)}/' for folder in folders]
    for dataset in leaf_datasets(dataloader['dataset']):
        colours = _palette(dataset.get('metainfo') or {}, source.classes)
        for key in set(dataset) - set(KEPT):
            del dataset[key]
        dataset['type'] = 'effnet_dense.LabelMapDataset'
        dataset['data_root'] = f'{source.root}/'
        dataset['data_prefix'] = dict(zip(PREFIXES, prefixes, strict=True))
        dataset['metainfo'] = {
            'classes': source.classes,
            'palette': colours,
        }
        _set_loaders(dataset['pipeline'], source)


def _palette(metainfo: Any, classes: Sequence[str]) -> list[Any]:
    """The config's own colours, if it is for these very classes."""
    if tuple(metainfo.get('classes') or ()) == tuple(classes) and metainfo.get('palette'):
        return list(metainfo['palette'])
    return list(palette(len(classes)))


def _set_evaluator(evaluator: Any) -> None:
    """The loader makes 255 of the file's value for "no class"."""
    for metric in metrics_of(evaluator):
        if 'ignore_index' in metric:
            metric['ignore_index'] = NO_CLASS
