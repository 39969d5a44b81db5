"""A data set in COCO's format → the fields of an mmdet config that depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.data.coco.check import CocoSplit
from effnet_dense.data.coco.clean import SkipBad
from effnet_dense.data.coco.source import SPLITS, CocoSource, find_coco
from effnet_dense.data.config_nodes import (
    SPLIT_OF,
    keep_first,
    leaf_datasets,
    metrics_of,
    palette,
    type_name,
)

ROI_CLASS_HEADS = ('bbox_head', 'mask_head')
"""Heads of a `roi_head` that count classes, 80 where the config does not say."""


def use_coco(
    cfg: Config,
    folder: str | Path,
    splits: Sequence[str] = SPLITS,
    skip: SkipBad | None = None,
) -> CocoSource:
    """Point a config of mmdet's at annotations in COCO's format (arguments: see `use_data`).

    Raises:
        FileNotFoundError: the folder, a part of the data set or pictures are missing.
        ValueError: annotations that cannot be used, or a config that does not detect objects
            in COCO's format.
    """
    _refuse_foreign(cfg, splits)
    source = find_coco(folder, splits, masks=_splits_with_masks(cfg), skip=skip)
    print_log(source.summary())
    for loop, name in SPLIT_OF.items():
        if name in source.splits:
            _set_datasets(cfg.get(f'{loop}_dataloader'), source, name)
            _set_evaluator(cfg.get(f'{loop}_evaluator'), source, name)
    if not set_num_classes(cfg.model, len(source.classes)) and 'rpn_head' not in cfg.model:
        raise ValueError(f'--data found no head that counts classes in {sorted(cfg.model)}')
    return source


def set_num_classes(model: Any, num_classes: int) -> int:
    """Set the number of classes in every detection and mask head of a model's config.

    Left alone: region proposals (object or not), and semantic heads, whose classes are others.

    Returns:
        How many heads were set.

    Raises:
        ValueError: the model has a panoptic head, which `--data` cannot set up.
    """
    count = _set_heads(model, num_classes, required=('bbox_head',))
    for key, part in list(model.items()):
        if key == 'detector':
            count += set_num_classes(part, num_classes)
        elif key == 'roi_head':
            count += _set_heads(part, num_classes, required=ROI_CLASS_HEADS)
        elif key.startswith('panoptic') and part is not None:
            raise ValueError(f'expected a model with box or mask heads for --data, got a {key!r}')
    return count


def _set_heads(parent: Any, num_classes: int, required: Sequence[str]) -> int:
    """`required` heads count classes even where the config leaves the number to the default."""
    count = 0
    for key, heads in parent.items():
        if not key.endswith('_head') or key.startswith(('rpn', 'semantic', 'roi')):
            continue
        for head in heads if isinstance(heads, list | tuple) else [heads]:
            if isinstance(head, dict) and (key in required or 'num_classes' in head):
                _set_head(head, num_classes)
                count += 1
    return count


def _set_head(head: Any, num_classes: int) -> None:
    head['num_classes'] = num_classes
    for value in head.values():  # losses that count classes too, such as SeesawLoss
        if isinstance(value, dict) and 'num_classes' in value:
            value['num_classes'] = num_classes


def _set_datasets(dataloader: Any, source: CocoSource, name: str) -> None:
    if dataloader is None:
        return
    keep_first(dataloader['dataset'])
    split = source.splits[name]
    for dataset in leaf_datasets(dataloader['dataset']):
        dataset['data_root'] = f'{source.root}/'
        dataset['ann_file'] = _inside(split.ann_file, source.root)
        dataset['data_prefix'] = _prefixes(dataset.get('data_prefix', {}), split, source.root)
        dataset['metainfo'] = {
            'classes': source.classes,
            'palette': palette(len(source.classes)),
        }


def _inside(path: Path, root: Path) -> str:
    """Relative to the root, as configs have it; absolute if it lies elsewhere."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path.absolute())


def _prefixes(configured: Any, split: CocoSplit, root: Path) -> dict[str, str]:
    """The folder of pictures; others that a config asks for, label maps say, must be there."""
    others = {key: folder for key, folder in configured.items() if key != 'img'}
    for key, folder in others.items():
        if not (root / folder).is_dir():
            raise FileNotFoundError(
                f'the config reads data_prefix {key!r}, expected a folder {root / folder}'
            )
    return {'img': f'{split.image_dir.relative_to(root)}/', **others}


def _set_evaluator(evaluator: Any, source: CocoSource, name: str) -> None:
    for metric in metrics_of(evaluator):
        if type_name(metric) == 'CocoMetric':
            metric['ann_file'] = str(source.splits[name].ann_file)


def _refuse_foreign(cfg: Config, splits: Sequence[str]) -> None:
    """Only data sets and metrics that read COCO's instances can be pointed at the user's."""
    for loop in (loop for loop, name in SPLIT_OF.items() if name in splits):
        dataloader = cfg.get(f'{loop}_dataloader')
        for dataset in leaf_datasets(dataloader['dataset']) if dataloader else ():
            _expect('CocoDataset', dataset, f'{loop}_dataloader')
        for metric in metrics_of(cfg.get(f'{loop}_evaluator')):
            if metric.get('ann_file') is not None:
                _expect('CocoMetric', metric, f'{loop}_evaluator')


def _expect(expected: str, node: Any, where: str) -> None:
    if type_name(node) != expected:
        raise ValueError(
            f'--data needs a config for COCO instances: expected a {expected} in {where}, got '
            f'{type_name(node) or node!r}'
        )


def _splits_with_masks(cfg: Config) -> set[str]:
    """The parts of the data set whose masks the config loads or evaluates."""
    parts = {'train'} if _loads_masks(cfg.get('train_dataloader')) else set()
    for loop in ('val', 'test'):
        for metric in metrics_of(cfg.get(f'{loop}_evaluator')):
            kinds = metric.get('metric', ())
            if 'segm' in ([kinds] if isinstance(kinds, str) else kinds):
                parts.add(SPLIT_OF[loop])
    return parts


def _loads_masks(node: Any) -> bool:
    if isinstance(node, dict):
        return bool(node.get('with_mask')) or any(_loads_masks(v) for v in node.values())
    return isinstance(node, list | tuple) and any(_loads_masks(v) for v in node)
