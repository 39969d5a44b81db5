"""Write the channels of a backbone's features into the neck, or else the heads, that read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LAST = -1
PARTS = ('decode_head', 'auxiliary_head', 'panoptic_head', 'bbox_head', 'rpn_head', 'mask_head')


def set_feature_channels(owner: Any, old: Sequence[int], new: Sequence[int], flag: str) -> None:
    """Replace the channels that the parts after a backbone expect.

    Args:
        owner: The model; its neck, or the heads of a model without one, are changed.
        old: Channels of the former backbone's features.
        new: Those of the new one's.
        flag: For messages.

    Raises:
        ValueError: No part expects the former channels.
    """
    neck = owner.get('neck')
    if neck:
        first = neck[0] if isinstance(neck, list | tuple) else neck
        if not _set_node(first, old, new):
            raise ValueError(
                f'{flag}: expected model.neck.in_channels {list(old)}, those of the backbone, got '
                f'{first.get("in_channels")}'
            )
        return
    heads = [key for key in PARTS if owner.get(key)]
    changed = sum(_set_below(owner[key], old, new) for key in heads)
    if not changed:
        raise ValueError(
            f'{flag}: found no in_channels of {list(old)}, those of the backbone, in {heads}'
        )


def _set_below(node: Any, old: Sequence[int], new: Sequence[int]) -> int:
    """Change all nodes in a head, and return their number."""
    if isinstance(node, Mapping):
        return _set_node(node, old, new) + sum(_set_below(v, old, new) for v in node.values())
    if isinstance(node, list | tuple):
        return sum(_set_below(child, old, new) for child in node)
    return 0


def _set_node(node: Any, old: Sequence[int], new: Sequence[int]) -> int:
    """Change a neck's or head's own channels; return whether any were the backbone's."""
    index = node.get('in_index')
    value = node.get('in_channels')
    found = 0
    if isinstance(value, list | tuple):
        positions = index if isinstance(index, list | tuple) else range(len(old))
        if list(value) == [old[i] for i in positions]:
            node['in_channels'] = [new[i] for i in positions]
            found = 1
    elif isinstance(value, int):
        position = index if isinstance(index, int) else LAST
        if value == old[position]:
            node['in_channels'] = new[position]
            found = 1
    if node.get('c1_in_channels') == old[0]:
        node['c1_in_channels'] = new[0]
    return found
