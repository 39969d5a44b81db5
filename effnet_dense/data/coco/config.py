"""Point an mmdet config at a dataset in COCO's format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.data.coco.annotation_file import CocoSplit
from effnet_dense.data.coco.folder import CocoSource, find_coco
from effnet_dense.data.coco.heads import set_num_classes
from effnet_dense.data.coco.written import write_report
from effnet_dense.data.config_walk import (
    SPLIT_OF,
    keep_first,
    leaf_datasets,
    loop_datasets,
    loops_of,
    metrics_of,
    type_name,
)
from effnet_dense.data.folders import SPLITS
from effnet_dense.data.palette import palette
from effnet_dense.data.parts import Division
from effnet_dense.data.resizing import split_scales
from effnet_dense.data.skipping import SkipBad
from effnet_dense.data.transforms.loading import LOADING, LoadImageFromFile

DATA = 'data'
"""Folder in the work folder for repaired annotations and the content of ZIP files."""


def use_coco(
    cfg: Config,
    folder: str | Path,
    splits: Sequence[str] = SPLITS,
    skip: SkipBad | None = None,
    scratch: str | Path | None = None,
    division: Division | None = None,
) -> CocoSource:
    """Point an mmdet config at a dataset with boxes or masks (arguments: see `use_data`).

    Raises:
        FileNotFoundError: The folder, a split or images are missing.
        ValueError: The annotations cannot be used, or the config is not for COCO instances.
    """
    _check_config(cfg, splits)
    loaders, scales = _loaders(cfg, splits), split_scales(cfg)
    source = find_coco(
        folder,
        splits,
        _splits_with_masks(cfg),
        skip,
        loaders,
        scales,
        None if scratch is None else Path(scratch),
        division,
    )
    print_log(source.summary())
    if scratch is not None:
        write_report(source.report(), Path(scratch))
    for loop in loops_of(tuple(source.splits)):
        split = source.splits[SPLIT_OF[loop]]
        _set_datasets(cfg.get(f'{loop}_dataloader'), source, split)
        _set_evaluator(cfg.get(f'{loop}_evaluator'), split)
    if not set_num_classes(cfg.model, len(source.classes)) and 'rpn_head' not in cfg.model:
        raise ValueError(f'--data found no head with num_classes in {sorted(cfg.model)}')
    return source


def _check_config(cfg: Config, splits: Sequence[str]) -> None:
    """Reject datasets and metrics that do not read COCO instances."""
    for loop in loops_of(splits):
        for dataset in loop_datasets(cfg, loop):
            _expect('CocoDataset', dataset, f'{loop}_dataloader')
        for metric in metrics_of(cfg.get(f'{loop}_evaluator')):
            if metric.get('ann_file') is not None:
                _expect('CocoMetric', metric, f'{loop}_evaluator')


def _loaders(cfg: Config, splits: Sequence[str]) -> dict[str, LoadImageFromFile]:
    """Build, for each split, this package's loader with the arguments of the config's."""
    loaders: dict[str, LoadImageFromFile] = {}
    for loop in loops_of(splits):
        for dataset in loop_datasets(cfg, loop):
            for step in dataset.get('pipeline') or ():
                if type_name(step) == LoadImageFromFile.__name__:
                    arguments = {key: step[key] for key in LOADING if key in step}
                    loaders.setdefault(SPLIT_OF[loop], LoadImageFromFile(**arguments))
    return loaders


def _expect(expected: str, node: Any, where: str) -> None:
    if type_name(node) != expected:
        raise ValueError(
            f'--data needs a config for COCO instances: expected a {expected} in {where}, got '
            f'{type_name(node) or node!r}'
        )


def _splits_with_masks(cfg: Config) -> set[str]:
    """Find the splits whose masks the config loads or evaluates."""
    splits = {'train'} if _loads_masks(cfg.get('train_dataloader')) else set()
    for loop in ('val', 'test'):
        for metric in metrics_of(cfg.get(f'{loop}_evaluator')):
            kinds = metric.get('metric', ())
            if 'segm' in ([kinds] if isinstance(kinds, str) else kinds):
                splits.add(SPLIT_OF[loop])
    return splits


def _loads_masks(node: Any) -> bool:
    if isinstance(node, dict):
        return bool(node.get('with_mask')) or any(_loads_masks(v) for v in node.values())
    return isinstance(node, list | tuple) and any(_loads_masks(v) for v in node)


def _set_datasets(dataloader: Any, source: CocoSource, split: CocoSplit) -> None:
    if dataloader is None:
        return
    keep_first(dataloader['dataset'])
    for dataset in leaf_datasets(dataloader['dataset']):
        dataset['data_root'] = f'{source.root}/'
        dataset['ann_file'] = _relative(split.ann_file, source.root)
        dataset['data_prefix'] = _prefixes(dataset.get('data_prefix', {}), split, source.root)
        dataset['metainfo'] = {
            'classes': source.classes,
            'palette': palette(len(source.classes)),
        }


def _relative(path: Path, root: Path) -> str:
    """Make a path relative to the root, as in configs; absolute if it lies elsewhere."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path.absolute())


def _prefixes(configured: Any, split: CocoSplit, root: Path) -> dict[str, str]:
    """Return `data_prefix` with the split's images; its other folders must exist."""
    others = {key: folder for key, folder in configured.items() if key != 'img'}
    for key, folder in others.items():
        if not (root / folder).is_dir():
            raise FileNotFoundError(
                f'the config reads data_prefix {key!r}, expected a folder {root / folder}'
            )
    return {'img': f'{_relative(split.image_dir, root)}/', **others}


def _set_evaluator(evaluator: Any, split: CocoSplit) -> None:
    for metric in metrics_of(evaluator):
        if type_name(metric) == 'CocoMetric':
            metric['ann_file'] = str(split.ann_file)
