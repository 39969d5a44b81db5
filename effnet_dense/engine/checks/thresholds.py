"""Check scores, overlaps, shares and counts in a config, of which others find nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.checks.numbers import check_share, is_number

PARTS = ('model', 'tta_model', 'default_hooks', 'custom_hooks', 'val_evaluator', 'test_evaluator')
SCORES = {'min_score', 'object_mask_thr', 'pred_score_thr', 'score_thr', 'score_threshold'}
OVERLAPS = {'iou_thr', 'iou_threshold', 'iou_thrs', 'min_pos_iou', 'neg_iou_thr', 'pos_iou_thr'}
SHARES = {'filter_thr', 'mask_thr', 'pos_fraction', 'update_thr'}
OR_OFF = {'ignore_iof_thr', 'mask_thr_binary'}
"""Shares, or -1, which turns the threshold off."""
DROPPED = {'drop_connect_rate', 'drop_path_rate', 'dropout_ratio'}
"""Probabilities below 1."""
COUNTS = {'max_num', 'max_per_image', 'max_per_img', 'nms_pre'}
# The heads that read -1 as "all", and the parts in which others do; elsewhere it is the end of a
# slice, which drops the last box.
ALL_BY_HEAD = {
    *('DecoupledSOLOHead', 'DecoupledSOLOLightHead', 'GARPNHead', 'GARetinaHead', 'PAAHead'),
    *('SOLOHead', 'SOLOV2Head', 'YOLACTHead'),
}
ALL = {
    'max_num': (ALL_BY_HEAD, {'nms', 'rcnn'}),
    'max_per_img': (
        {*ALL_BY_HEAD, 'CenterNetHead', 'CentripetalHead', 'CornerHead'} - {'GARPNHead'},
        {'rcnn'},
    ),
    'nms_pre': ({*ALL_BY_HEAD, 'EfficientDetHead'}, {'rpn', 'rpn_proposal', 'rcnn'}),
}


def check_thresholds(cfg: Any) -> None:
    """Check the ranges of thresholds and counts in the model, hooks and metrics.

    Raises:
        ValueError: Names the key, its value and the range.
    """
    heads = _heads(cfg.get('model'))
    for part in PARTS:
        for path, value in _entries((part,), cfg.get(part)):
            name = path[-1]
            if name in COUNTS:
                _check_count(path, value, heads)
            elif name in ('gamma', 'loss_weight') and _is_loss(path):
                _check_range(path, value, 0, math.inf, 'at least 0')
            elif name == 'sigma' and path[-2] == 'nms':
                _check_range(path, value, math.nextafter(0, 1), math.inf, 'above 0')
            elif path[0] != 'default_hooks' or name in SCORES:
                _check_share(path, value)


def _check_share(path: tuple[str, ...], value: Any) -> None:
    name, key = path[-1], '.'.join(path)
    numbers = value if isinstance(value, list | tuple) else [value]
    if name in SCORES | OVERLAPS | SHARES:
        for number in numbers:
            check_share(key, number)
    elif name in OR_OFF and value != -1:
        check_share(key, value)
    elif name in DROPPED and value != -1:  # mmseg's HRNets turn it off by -1
        _check_range(path, value, 0, math.nextafter(1, 0), 'a probability below 1')


def _check_range(
    path: tuple[str, ...], value: Any, smallest: float, largest: float, text: str
) -> None:
    for number in value if isinstance(value, list | tuple) else [value]:
        if not is_number(number) or not smallest <= number <= largest:
            raise ValueError(f'{".".join(path)} must be a number, {text}, got {value!r}')


def _check_count(path: tuple[str, ...], value: Any, heads: set[str]) -> None:
    name, key = path[-1], '.'.join(path)
    whole = isinstance(value, int) and not isinstance(value, bool)
    known, parts = ALL.get(name, (set(), set()))
    if whole and value == -1:
        if parts & set(path) or known & heads:
            return
        raise ValueError(
            f'{key}=-1 would drop the last box: write a large number, such as 100000, to keep all'
        )
    if not whole or value < 1:
        all_of_them = ', or -1 for all' if parts & set(path) or known & heads else ''
        raise ValueError(f'{key} must be a whole number, at least 1{all_of_them}, got {value!r}')


def _is_loss(path: tuple[str, ...]) -> bool:
    return path[0] == 'model' and any(name.startswith('loss') for name in path[:-1])


def _heads(model: Any) -> set[str]:
    """Return the names of a model's heads."""
    parts = model.values() if isinstance(model, Mapping) else ()
    return {type_name(part) for part in parts if isinstance(part, Mapping)}


def _entries(path: tuple[str, ...], node: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the entries of dictionaries, without those that are None or dictionaries."""
    items: Any = ()
    if isinstance(node, Mapping):
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    for name, child in items:
        inside = (*path, str(name))
        if isinstance(node, Mapping) and child is not None and not isinstance(child, Mapping):
            yield inside, child
        yield from _entries(inside, child)
