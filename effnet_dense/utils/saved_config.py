"""Keep a run's config in its checkpoints as data: JSON, which reading never executes.

mmengine stores its text as Python (`meta['cfg']`), which can only be executed.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Mapping
from enum import Enum
from numbers import Integral
from typing import Any

KEY = 'effnet_dense_config'
"""The key in a checkpoint's `meta`; its value is JSON text."""
MAX_CHARACTERS = 2_000_000
MAX_VALUES = 100_000
MAX_DEPTH = 50
_ADDRESS = re.compile(r' at 0x[0-9a-f]+')


def config_text(config: Any) -> str:
    """Return a config as JSON; it has the values that `plain` returns.

    Args:
        config: An mmengine `Config` or a dictionary.

    Raises:
        ValueError: It is too large to be stored in each checkpoint.
    """
    text = json.dumps(plain(config))
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f'expected a config of at most {MAX_CHARACTERS} characters, got {len(text)}'
        )
    return text


def plain(config: Any) -> dict[str, Any]:
    """Return a config as `saved_config` would read it from a checkpoint.

    Keys are text, tuples and sets are lists, classes and functions their dotted names, and other
    objects, infinities and NaN the text of their `repr`.

    Args:
        config: An mmengine `Config` or a dictionary.

    Raises:
        ValueError: It is too large to be stored in each checkpoint.
    """
    return _Plain().dictionary(_entries(config), 0)


def saved_config(checkpoint: Any) -> dict[str, Any] | None:
    """Return the config that a checkpoint was trained with.

    Args:
        checkpoint: A loaded checkpoint.

    Returns:
        None if it has none: other programs and earlier versions wrote none.

    Raises:
        ValueError: The stored text is not a JSON object, or too long.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, Mapping) else None
    if not isinstance(meta, Mapping) or KEY not in meta:
        return None
    text, expected = meta[KEY], f"expected a JSON object as the checkpoint's meta[{KEY!r}]"
    if not isinstance(text, str):
        raise ValueError(f'{expected}, got {type(text).__name__}')
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f'{expected}, at most {MAX_CHARACTERS} characters, got {len(text)}')
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{expected}, got text that cannot be read: {error}') from None
    if not isinstance(config, dict):
        raise ValueError(f'{expected}, got a {type(config).__name__}')
    return config


def _entries(config: Any) -> Mapping[Any, Any]:
    """Return a config's dictionary; mmengine's `Config` is none itself."""
    entries = config if isinstance(config, Mapping) else getattr(config, '_cfg_dict', None)
    if not isinstance(entries, Mapping):
        raise ValueError(f'expected a config, got {type(config).__name__}')
    return entries


class _Plain:
    """Convert values to those of JSON, up to a number of values and a depth."""

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def dictionary(self, entries: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        return {str(key): self.value(value, depth + 1) for key, value in entries.items()}

    def value(self, value: Any, depth: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ValueError(f'expected a config of at most {MAX_VALUES} values, got more')
        if depth > MAX_DEPTH:
            raise ValueError(f'expected a config of at most {MAX_DEPTH} levels, got more')
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return _text(value)
        if isinstance(value, str):
            return str(value)
        if isinstance(value, Integral):  # numpy's included
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else repr(float(value))
        if isinstance(value, Mapping):
            return self.dictionary(value, depth)
        if isinstance(value, list | tuple):
            return [self.value(item, depth + 1) for item in value]
        if isinstance(value, set | frozenset):
            return [self.value(item, depth + 1) for item in sorted(value, key=repr)]
        return _text(value)


def _text(value: Any) -> str:
    """Return a text that is the same in each process."""
    if inspect.isclass(value) or inspect.isroutine(value):
        return f'{value.__module__}.{value.__qualname__}'
    try:
        text = repr(value)
    except Exception:  # of an object of any kind, which must not end the run
        text = object.__repr__(value)
    return _ADDRESS.sub('', text)
