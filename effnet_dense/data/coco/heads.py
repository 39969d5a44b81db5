"""Set the number of classes in the heads of an mmdet model's config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from effnet_dense.data.class_weights import weights_for

ROI_CLASS_HEADS = ('bbox_head', 'mask_head')
"""Heads of a `roi_head` that have classes, 80 by default."""
QUERY_HEADS = ('panoptic_head', 'panoptic_fusion_head')
"""Heads of MaskFormer and Mask2Former, in mmdet's models for things, stuff or both."""


def has_stuff(model: Any) -> bool:
    """Return whether a model's config has things and stuff, which names do not distinguish.

    mmdet's Mask2Former for instance segmentation has panoptic heads without a class of stuff.
    """
    parts = [part for key, part in model.items() if key.startswith('panoptic')]
    return any(part is not None and part.get('num_stuff_classes') != 0 for part in parts)


def set_num_classes(model: Any, num_classes: int) -> int:
    """Set the number of classes in every detection and mask head of a model's config.

    Heads for region proposals (object or not) and semantic heads have other classes: unchanged.

    Returns:
        Number of heads that were set.

    Raises:
        ValueError: The model has a panoptic head with stuff, which `--data` cannot set up.
    """
    if has_stuff(model):
        key = next(key for key in model if key.startswith('panoptic'))
        raise ValueError(
            f'expected a model with box or mask heads for --data, got a {key!r} with stuff'
        )
    count = _set_heads(model, num_classes, required=('bbox_head',))
    for key, part in list(model.items()):
        if key == 'detector':
            count += set_num_classes(part, num_classes)
        elif key == 'roi_head':
            count += _set_heads(part, num_classes, required=ROI_CLASS_HEADS)
        elif key in QUERY_HEADS and part is not None:
            _set_query_head(part, num_classes)
            count += 1
    return count


def _set_query_head(head: Any, num_classes: int) -> None:
    """Set a head of queries, and its loss's weight of each class and of "no object"."""
    before, head['num_things_classes'] = head.get('num_things_classes'), num_classes
    loss = head.get('loss_cls')
    if loss is not None and isinstance(loss.get('class_weight'), list | tuple):
        loss['class_weight'] = weights_for(loss['class_weight'], before, num_classes)


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
