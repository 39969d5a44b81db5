"""Collect the numbers of classes in a config."""

from __future__ import annotations

from typing import Any


def num_classes(node: Any, path: str = '') -> dict[str, int]:
    """Every num_classes in a config, by its path."""
    if isinstance(node, dict):
        items = [(f'{path}.{key}', value) for key, value in node.items()]
    elif isinstance(node, list | tuple):
        items = [(f'{path}[{i}]', value) for i, value in enumerate(node)]
    else:
        return {}
    found = {p[1:]: v for p, v in items if p.endswith('.num_classes')}
    for p, value in items:
        found |= num_classes(value, p)
    return found
