"""Quote names that are not among others, each with the nearest one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence

SHOWN = 5


def listed(names: Sequence[str], shown: int = SHOWN) -> str:
    """Return names separated by commas; the first ones of many."""
    return ', '.join(names[:shown]) + (', …' if len(names) > shown else '')


def with_nearest(names: Sequence[str], known: Collection[str]) -> str:
    """Quote the first names, each with the nearest known one.

    Case, hyphens, underscores and spaces count for nothing: 'traffic_light' is near
    'Traffic light'.
    """
    plain = {simplified(name): name for name in known}
    parts = []
    for name in names[:SHOWN]:
        near = difflib.get_close_matches(simplified(name), plain, n=1)
        parts.append(f'{name!r} (nearest: {plain[near[0]]!r})' if near else repr(name))
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(parts) + more


def simplified(name: str) -> str:
    """Return a name in lower case, with single spaces for hyphens and underscores."""
    return ' '.join(re.sub(r'[-_]', ' ', name).casefold().split())


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that is most like a name; None if none is near."""
    plain = {simplified(other): other for other in known}
    near = difflib.get_close_matches(simplified(name), plain, n=1)
    return plain[near[0]] if near else None
