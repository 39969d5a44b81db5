"""Check the values of a YAML or JSON config: texts, numbers, truth values, lists and mappings."""

from __future__ import annotations

import math
from typing import Any

MAX_DEPTH = 100
LARGEST = 2**64
TOO_DEEP = f'it is nested too deeply: more than {MAX_DEPTH} levels'


def check_values(content: Any) -> None:
    """Check the kinds of all values, and how deeply they are nested.

    Args:
        content: Finite, as `check_size` has found; shared values are visited once.

    Raises:
        ValueError: Names the key of a date, a set, a number that is none or too large, or content
            that is nested too deeply.
    """
    visited: set[int] = set()
    waiting: list[tuple[str, Any, int]] = [('', content, 0)]
    while waiting:
        key, node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ValueError(TOO_DEEP)
        if not isinstance(node, dict | list):
            _check_value(key, node)
        elif id(node) not in visited:
            visited.add(id(node))
            items = node.items() if isinstance(node, dict) else enumerate(node)
            waiting += [(_join(key, name), child, depth + 1) for name, child in items]


def _join(key: str, name: Any) -> str:
    _check_value(key, name)
    return f'{key}.{name}' if key else str(name)


def _check_value(key: str, value: Any) -> None:
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError(
            f'{key:.100} is a {type(value).__name__}: expected a text, number, list or mapping'
        )
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f'{key:.100} is NaN, expected a number')
    if isinstance(value, int) and abs(value) >= LARGEST:
        raise ValueError(
            f'{key:.100} is a number of {value.bit_length()} bits, at most 64 are read'
        )
