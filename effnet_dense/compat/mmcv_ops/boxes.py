"""Compute overlaps of boxes (x1, y1, x2, y2); with offset 1 a box's width is x2 - x1 + 1."""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.ops.precision import at_least_float32


def areas(boxes: Tensor, offset: int) -> Tensor:
    """Return the areas (...,) of boxes (..., 4)."""
    return (boxes[..., 2] - boxes[..., 0] + offset) * (boxes[..., 3] - boxes[..., 1] + offset)


def intersections(boxes1: Tensor, boxes2: Tensor, offset: int) -> Tensor:
    """Return the intersection areas of boxes (..., 4) that broadcast against each other."""
    top_left = torch.maximum(boxes1[..., :2], boxes2[..., :2])
    bottom_right = torch.minimum(boxes1[..., 2:], boxes2[..., 2:])
    return (bottom_right - top_left + offset).clamp(min=0).prod(-1)


def overlaps(boxes1: Tensor, boxes2: Tensor, offset: int = 0) -> Tensor:
    """Return intersection over union of boxes (..., 4) that broadcast; 0/0 is NaN, as in mmcv."""
    common = intersections(boxes1, boxes2, offset)
    return common / (areas(boxes1, offset) + areas(boxes2, offset) - common)


def bbox_overlaps(
    bboxes1: Tensor, bboxes2: Tensor, ious: Tensor, mode: int, aligned: bool, offset: int
) -> None:
    """Write the overlaps of boxes (M, 4) and (N, 4) to ious: (M, N), or (M,) if aligned.

    Args:
        mode: 0 divides by the union, 1 ("intersection over foreground") by the first box's area.
    """
    boxes1, boxes2 = at_least_float32(bboxes1, bboxes2)
    if not aligned:
        boxes1 = boxes1[:, None]
    if mode == 0:
        ious.copy_(overlaps(boxes1, boxes2, offset))
    else:
        ious.copy_(intersections(boxes1, boxes2, offset) / areas(boxes1, offset))
