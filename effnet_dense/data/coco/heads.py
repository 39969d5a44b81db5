"""Set the number of classes in the heads of an mmdet model's config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ROI_CLASS_HEADS = ('bbox_head', 'mask_head')
"""Heads of a `roi_head` that have classes, 80 by default."""


def set_num_classes(model: Any, num_classes: int) -> int:
    """Set the number of classes in every detection and mask head of a model's config.

    Heads for region proposals (object or not) and semantic heads have other classes: unchanged.

    Returns:
        Number of heads that were set.

    Raises:
        ValueError: The model has a panoptic head, which `--data` cannot set up.
    """
    count = _set_heads(model, num_classes, required=('bbox_head',))
    for key, part in list(model.items()):
        if key == 'detector':
            count += set_num_classes(part, num_classes)
        elif key == 'roi_head':
            count += _set_heads(part, num_classes, required=ROI_CLASS_HEADS)
        elif key.startswith('panoptic') and part is not None:
            raise ValueError(f'expected a model with box or mask heads for --data, got a {key!r}')
    return count


def _set_heads(parent: Any, num_classes: int, required: Sequence[str]) -> int:
    """Set the heads in a config; those in `required` even if they rely on the default number."""
    count = 0
    for key, heads in parent.items():
        if not key.endswith('_head') or key.startswith(('rpn', 'semantic', 'roi')):
            continue
        for head in heads if isinstance(heads, list | tuple) else [heads]:
            if isinstance(head, dict) and (key in required or 'num_classes' in head):
                _set_head(head, num_classes)
                count += 1
    return count


def _set_head(head: Any, num_classes: int) -> None:
    head['num_classes'] = num_classes
    for value in head.values():  # losses that need the number too, such as SeesawLoss
        if isinstance(value, dict) and 'num_classes' in value:
            value['num_classes'] = num_classes
