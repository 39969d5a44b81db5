"""Split the images of a dataset with one part into training and validation, by their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

VAL_SHARE = 0.2
"""Share of the images that are evaluated."""


def split_names(
    names: Iterable[str],
    share: float = VAL_SHARE,
    seed: int = 0,
    group_of: Callable[[str], str] = lambda name: name,
) -> dict[str, tuple[str, ...]]:
    """Split names by a hash of seed and name: other names do not move when one is added.

    Args:
        names: Of images, in any order.
        share: Of the groups that go to 'val', about: each is drawn on its own. With two groups or
            more, each part has at least one.
        seed: Another seed gives another split.
        group_of: Name → the group that is kept together, such as a video; by default each name is
            its own.

    Returns:
        {'train': names, 'val': names}, both sorted.

    Raises:
        ValueError: `share` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f'expected a share between 0 and 1, got {share}')
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        groups.setdefault(group_of(name), []).append(name)
    ranked = sorted(groups, key=lambda group: _position(group, seed))
    count = sum(_position(group, seed) < share for group in ranked)
    count = min(max(count, 1), len(ranked) - 1) if len(ranked) > 1 else 0
    parts = {'train': ranked[count:], 'val': ranked[:count]}
    return {
        part: tuple(sorted(name for group in chosen for name in groups[group]))
        for part, chosen in parts.items()
    }


def _position(group: str, seed: int) -> float:
    """Return a number in [0, 1) that depends on seed and name only."""
    content = f'{seed}/{group}'.encode('utf-8', 'surrogateescape')
    return int.from_bytes(hashlib.sha256(content).digest()[:8], 'big') / 2**64
