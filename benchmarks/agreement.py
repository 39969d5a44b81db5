"""How far two models' predictions agree: detections one by one, label maps pixel by pixel.

Shapes: K and L detections of an image of H × W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import box_iou

IOU, SCORE = 0.99, 1e-3
INSTANCE_OFFSET = 1000
"""mmdet's: a segment's id is its class + 1,000 × the instance's number."""
PIXELS = 1
"""By which masks may differ at any IoU: one pixel of a mask below 100 pixels is more than 1 %, and
a probability next to the threshold changes sides by rounding alone."""
EDGE = 0.05
"""Pixels by which the edges of boxes of no area may differ, which have no IoU: clipping leaves such
boxes outside an image, and EfficientDet's head keeps them."""
SHARE = 0.999
"""Of detections, or pixels, that must agree."""


@dataclass(frozen=True)
class Agreement:
    """How far a file agrees with PyTorch.

    Attributes:
        equal: Detections, or pixels, that agree.
        total: Of both.
    """

    equal: int
    total: int

    @property
    def share(self) -> float:
        """The share that agrees; 0 if there is nothing to compare."""
        return self.equal / self.total if self.total else 0.0

    @property
    def validated(self) -> bool:
        """Whether enough agrees."""
        return self.share >= SHARE

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(self.equal + other.equal, self.total + other.total)

    def __str__(self) -> str:
        return f'{self.equal:,} of {self.total:,}'


def agreement(one: Any, other: Any) -> Agreement:
    """Compare the predictions on an image.

    Detections agree if the other sample has one of the same label, with an IoU above `IOU` and a
    score within `SCORE`, and for masks an IoU above `IOU`, too, or at most `PIXELS` of difference.
    """
    if 'pred_sem_seg' in one:
        same = one.pred_sem_seg.data == other.pred_sem_seg.data
        return Agreement(int(same.sum()), same.numel())
    if 'pred_panoptic_seg' in one:
        return _same_segments(*(s.pred_panoptic_seg.sem_seg for s in (one, other)))
    a, b = one.pred_instances, other.pred_instances
    if not len(a) or not len(b):
        return Agreement(0, len(a) + len(b))
    near = _same_boxes(a.bboxes, b.bboxes) & (a.labels[:, None] == b.labels)
    near &= (a.scores[:, None] - b.scores).abs() <= SCORE
    if 'masks' in a:
        near &= _same_masks(a.masks, b.masks)
    return Agreement(int(near.any(1).sum() + near.any(0).sum()), len(a) + len(b))


def _same_segments(a: Tensor, b: Tensor) -> Agreement:
    """Compare segment ids (1, H, W), whose instances may be numbered in another order.

    A pixel agrees if its segments have the same class, and each is what the other overlaps most.
    """
    pairs, where, count = torch.unique(
        torch.stack([a.flatten(), b.flatten()]), dim=1, return_inverse=True, return_counts=True
    )
    first, second = (pairs[row] == pairs[row][:, None] for row in (0, 1))
    largest = (count == (count * first).amax(1)) & (count == (count * second).amax(1))
    same_class = pairs[0] % INSTANCE_OFFSET == pairs[1] % INSTANCE_OFFSET
    return Agreement(int((largest & same_class)[where].sum()), a.numel())


def _same_boxes(a: Tensor, b: Tensor) -> Tensor:
    """Compare boxes (K, 4) with (L, 4): (K, L), see `IOU` and `EDGE`."""
    iou = box_iou(a, b)
    near = (a[:, None] - b).abs().amax(2) <= EDGE
    return torch.where(iou.isnan(), near, iou > IOU)


def _same_masks(a: Tensor, b: Tensor) -> Tensor:
    """Compare masks (K, H, W) with (L, H, W): (K, L), see `IOU` and `PIXELS`."""
    one, two = a.flatten(1).float(), b.flatten(1).float()
    common = one @ two.T
    union = one.sum(1)[:, None] + two.sum(1) - common
    return (common > IOU * union) | (union - common <= PIXELS)
