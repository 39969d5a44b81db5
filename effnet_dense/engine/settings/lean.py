"""`--lean LEVEL`: what training saves for the backward pass."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS

from effnet_dense.engine.checks.config_parts import find_class
from effnet_dense.engine.settings.notes import refusal

PACKAGE = 'effnet_dense.'


def set_lean(config: Config, level: int) -> None:
    """Set the level of lean training of backbone, neck and heads.

    Args:
        config: Changed in place.
        level: 0, 1 or 2; see `effnet_dense.lean`.

    Raises:
        ValueError: No part of the model is this package's.
    """
    parts = list(_parts(config.get('model'), config.get('default_scope')))
    if not parts:
        raise refusal(
            f'--lean {level}',
            'no part of the model is a backbone, neck or head of effnet_dense, which have it',
            'leave it out',
        )
    for part in parts:
        part['lean'] = level


def _parts(node: Any, scope: str | None) -> Iterator[Any]:
    """Yield the configs of modules that take `lean`."""
    if isinstance(node, Mapping):
        kind = node.get('type')
        cls: Any = find_class(kind, MODELS, node.get('_scope_') or scope) if kind else None
        own = inspect.isclass(cls) and cls.__module__.startswith(PACKAGE)
        if own and 'lean' in inspect.signature(cls).parameters:
            yield node
        for child in node.values():
            yield from _parts(child, scope)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from _parts(child, scope)
