"""Find options (`--cfg-options`) that would change nothing, and say what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

SHOWN = 6


def check_option(config: Mapping[str, Any], key: str, known: Collection[str]) -> None:
    """Check that something reads an option.

    Args:
        config: Before the option is applied.
        key: The dotted key.
        known: Top-level keys that the runner and the tools read.

    Raises:
        ValueError: Nothing reads it; names near keys. Or it is a variable that was read when the
            config's files were parsed; names the keys that have its value.
    """
    first = key.split('.')[0]
    if first in known:
        return
    if first not in config:
        near = difflib.get_close_matches(first, {*known, *config}, n=3) or sorted(config)
        raise ValueError(
            f'--cfg-options {key}: nothing reads {first!r}; did you mean {", ".join(near)}?'
        )
    rest = {name: value for name, value in config.items() if name in known}
    value = config[first]
    copies = [] if value is None else list(keys_of(rest, value))
    if value is not None and not copies:
        return  # code of the user's own may read it
    more = f' and {len(copies) - SHOWN} more' if len(copies) > SHOWN else ''
    instead = f'write {", ".join(copies[:SHOWN])}{more}' if copies else 'write the keys themselves'
    raise ValueError(
        f'--cfg-options {key}: {first!r} is read only while the config files are parsed, so that '
        f'the option would change nothing; {instead} instead'
    )


def keys_of(node: Any, value: Any, prefix: str = '') -> Iterator[str]:
    """Yield the dotted keys that have a value; inside of texts too, such as `data_root`."""
    if not isinstance(node, Mapping | list | tuple):
        return
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    for name, child in items:
        key = f'{prefix}{name}'
        if _equal(child, value):
            yield key
        else:
            yield from keys_of(child, value, f'{key}.')


def _equal(child: Any, value: Any) -> bool:
    """Whether a value is, or begins with, that of a variable."""
    if isinstance(value, str) and isinstance(child, str):
        return bool(value) and child.startswith(value)
    return type(child) is type(value) and bool(child == value)
