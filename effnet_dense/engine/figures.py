"""Write figures of a run in one line: metrics, classes, durations, the model, its images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

from mmengine.config import Config
from torch import nn

from effnet_dense.data.config_walk import loop_datasets, type_name
from effnet_dense.data.statistics import training_size

COCO = {
    **{'mAP': 'AP', 'mAP_50': 'AP50', 'mAP_75': 'AP75'},
    **{'mAP_s': 'small', 'mAP_m': 'medium', 'mAP_l': 'large'},
}
"""CocoMetric's names after 'bbox_' or 'segm_' → ours."""
KINDS = {'bbox': 'box', 'segm': 'mask'}
PERCENT = ('mIoU', 'mAcc', 'aAcc', 'mDice', 'mFscore', 'mPrecision', 'mRecall')
UNKNOWN = -1.0
"""pycocotools' value where there was no object."""
OTHERS = 8
"""Largest number of results that are not listed above."""
SHOWN = 6
"""Of more classes, the best and the worst, half of this number each, are named."""
MANY = 12
HEADS = {'EfficientDetHead': 'EfficientDet'}
"""Heads that give a network its name, though its type is RetinaNet."""


def metrics_line(metrics: Mapping[str, Any]) -> str:
    """Write a validation's results, such as 'box AP 0.083, AP50 0.214, …, small –'.

    A dash stands for sizes of which there was no object.
    """
    parts = [part for kind in KINDS if (part := ', '.join(_coco(metrics, kind)))]
    rest = {key: value for key, value in metrics.items() if not _is_coco(key)}
    shares = {_short(key): value for key, value in rest.items()}
    known = [f'{name} {shares[name]:.1f} %' for name in PERCENT if name in shares]
    others = [
        f'{_short(key)} {number(value)}'
        for key, value in rest.items()
        if _short(key) not in PERCENT and isinstance(value, Real)
    ]
    more = ', …' if len(others) > OTHERS else ''
    texts = [*parts, ', '.join(known), ', '.join(others[:OTHERS]) + more]
    return '; '.join(text for text in texts if text) or 'no results'


def number(value: Any) -> str:
    """Write a figure with three decimals; a dash if nothing was measured."""
    if not isinstance(value, Real) or not math.isfinite(value) or value == UNKNOWN:
        return '–'
    value = float(value)
    return f'{value:.3f}' if abs(value) < 100 else f'{value:.1f}'


def classes_line(name: str, figures: Sequence[tuple[str, float]]) -> str:
    """Write the figures of classes, such as 'AP of classes: car 0.41, bus 0.20'.

    Args:
        name: Of the figure.
        figures: Class and figure; NaN without ground truth.
    """
    known = [(label, value) for label, value in figures if math.isfinite(value)]
    known.sort(key=lambda row: -row[1])
    if len(known) <= MANY:
        return f'{name} of classes: {_list(known)}' if known else ''
    half = SHOWN // 2
    return (
        f'{name} of {len(known)} classes: best {_list(known[:half])}; worst {_list(known[-half:])}'
    )


def model_line(config: Config, model: nn.Module) -> str:
    """Describe a model, such as 'RetinaNet on EfficientNet lite0, 4.0 M parameters'."""
    described = config.get('model') or {}
    backbone = described.get('backbone') or {}
    arch = backbone.get('arch') or backbone.get('depth') or ''
    name = _detector(described) or type(model).__name__
    on = f' on {type_name(backbone)} {arch if isinstance(arch, str | int) else ""}'.rstrip()
    total = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    part = '' if trained == total else f', {millions(trained)} of them trained'
    return f'{name}{on if backbone else ""}, {millions(total)} parameters{part}'


def _detector(described: Mapping[str, Any]) -> str:
    """Name a model by its head where the type is another network's, as EfficientDet's is."""
    head = type_name(described.get('bbox_head') or {})
    return HEADS.get(head) or type_name(described)


def millions(count: int) -> str:
    """Write a number in millions, with two digits at least."""
    return f'{count / 1e6:.1f} M' if count >= 1e6 else f'{count / 1e6:.2g} M'


def size_line(config: Config) -> str:
    """Return the width and height of training images as text; '' if they keep their size.

    This is the size to which a batch is padded, else that of crops, else that of resizing.
    """
    preprocessor = (config.get('model') or {}).get('data_preprocessor') or {}
    for step in preprocessor.get('batch_augments') or ():
        if type_name(step) == 'BatchFixedSizePad':
            height, width = step['size']
            return f'{width} × {height}'
    for dataset in loop_datasets(config, 'train'):
        for step in reversed(dataset.get('pipeline') or ()):
            size = step.get('crop_size')
            if isinstance(size, tuple | list) and len(size) == 2 and min(size) > 1:
                # mmdet's are (width, height) in RandomCrop's result, mmseg's (height, width).
                first, second = size
                swapped = config.get('default_scope') == 'mmseg'
                return f'{second} × {first}' if swapped else f'{first} × {second}'
    found = training_size(config)
    return str(found) if found else ''


def duration(seconds: float) -> str:
    """Write a duration, such as 0:09:30 or 1 d 2:00:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f'{f"{days} d " if days else ""}{hours}:{minutes:02d}:{rest:02d}'


def _coco(metrics: Mapping[str, Any], kind: str) -> Iterator[str]:
    """Yield the texts of one kind of CocoMetric's results."""
    named = {_short(key): value for key, value in metrics.items()}
    first = f'{KINDS[kind]} '
    for item, name in COCO.items():
        if f'{kind}_{item}' in named:
            yield f'{first}{name} {number(named[f"{kind}_{item}"])}'
            first = ''


def _is_coco(key: str) -> bool:
    kind, _, item = _short(key).partition('_')
    return kind in KINDS and item in COCO


def _short(key: str) -> str:
    """Return a result's name without its metric's prefix."""
    return key.rpartition('/')[2]


def _list(figures: Sequence[tuple[str, float]]) -> str:
    return ', '.join(f'{name} {value:.2f}' for name, value in figures)
