"""Find the part of a config at which building it failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any


def failing_part(error: BaseException, config: Mapping[str, Any]) -> str | None:
    """Return the dotted key of the innermost part that mmengine was building.

    Args:
        error: From building it.
        config: Key → what was built.

    Returns:
        None where the part cannot be told from others.
    """
    for part in reversed(list(_parts_being_built(error.__traceback__))):
        alike = [
            (name, node)
            for name, node in _nodes('', config)
            if name and node.get('type') == part.get('type')
        ]
        # Classes change what they are given, so that even the only one of a type may differ.
        same = alike if len(alike) == 1 else [each for each in alike if each[1] == part]
        if len(same) == 1:
            return same[0][0]
    return None


def _parts_being_built(trace: TracebackType | None) -> Iterator[Mapping[str, Any]]:
    """Yield the configs of mmengine's calls, the outermost first."""
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        config = frame.f_locals.get('cfg')
        if frame.f_code.co_name == 'build_from_cfg' and isinstance(config, Mapping):
            yield config


def _nodes(key: str, node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a dictionary and those inside of it, with their keys."""
    items: Any = ()
    if isinstance(node, Mapping):
        yield key, node
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    for name, child in items:
        yield from _nodes(f'{key}.{name}' if key else str(name), child)
