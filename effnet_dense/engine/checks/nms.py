"""Check the settings of non-maximum suppression, which are first read when boxes are found.

mmcv evaluates `type` as Python, and passes the rest to the operator of that name.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import mmcv.ops  # noqa: F401  (its function `nms` hides the module of this name)

from effnet_dense.engine.checks.signatures import check_names

KEYS = ('nms', 'nms_cfg')
OPERATORS = ('nms', 'soft_nms', 'nms_rotated', 'nms_quadri')
"""Operators of mmcv that keep boxes with their scores, as its `batched_nms` expects."""
READ_BY_BATCHED_NMS = {'class_agnostic', 'iou_thr', 'max_num', 'split_thr', 'type'}
GIVEN = {'boxes', 'dets', 'labels', 'scores'}
METHODS = ('naive', 'linear', 'gaussian')


def check_nms(cfg: Any) -> None:
    """Check every operator in the model and its test-time augmentation, and its arguments.

    Raises:
        ValueError: Names the key, its value and what is expected.
    """
    for part in ('model', 'tta_model'):
        for key, node in _settings(part, cfg.get(part)):
            if not isinstance(node, Mapping):
                raise ValueError(f'{key} must be a dictionary with a type, got {node!r:.100}')
            kind = node.get('type', 'nms')
            if callable(kind):  # of a Python config
                continue
            if not isinstance(kind, str) or kind not in OPERATORS:
                raise ValueError(f'{key}.type must be one of {", ".join(OPERATORS)}, got {kind!r}')
            _check_arguments(key, node, _operator(kind))


def _operator(name: str) -> Callable[..., Any]:
    operator: Callable[..., Any] = getattr(sys.modules['mmcv.ops.nms'], name)
    return operator


def _check_arguments(key: str, node: Mapping[str, Any], operator: Callable[..., Any]) -> None:
    known = {*inspect.signature(operator).parameters} - GIVEN
    check_names(key, node, known | READ_BY_BATCHED_NMS)
    method = node.get('method', 'linear')
    if method not in METHODS:
        raise ValueError(f'{key}.method must be one of {", ".join(METHODS)}, got {method!r}')


def _settings(key: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values of these names, with their dotted keys."""
    items: Any = ()
    if isinstance(node, Mapping):
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    for name, child in items:
        inner = f'{key}.{name}'
        if name in KEYS and child is not None:
            yield inner, child
        else:
            yield from _settings(inner, child)
