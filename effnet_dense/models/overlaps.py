"""Overlaps of boxes as in mmdet, where torchvision's are NaN or wait for a GPU.

Shapes: boxes are (x1, y1, x2, y2) in pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST = 1e-6
"""Pixels², the smallest area by which mmdet divides."""


def pairwise_iou(boxes: Tensor, priors: Tensor) -> Tensor:
    """Boxes (K, 4), priors (A, 4) → IoU (K, A).

    torchvision's is NaN for a box and a prior of no area.
    """
    (low, high), (prior_low, prior_high) = boxes[:, None].split(2, -1), priors.split(2, -1)
    common = _area((torch.min(high, prior_high) - torch.max(low, prior_low)).clamp(min=0))
    union = _area(high - low) + _area(prior_high - prior_low) - common
    return common / union.clamp(min=SMALLEST)


def giou(first: Tensor, second: Tensor) -> Tensor:
    """Boxes (A, 4) and (A, 4) → generalised IoU (A,), arXiv 1902.09630.

    torchvision's selects boxes that overlap, for which the host waits.
    """
    (low, high), (other_low, other_high) = first.split(2, -1), second.split(2, -1)
    areas = _area(high - low) + _area(other_high - other_low)
    common = _area((torch.min(high, other_high) - torch.max(low, other_low)).clamp(min=0))
    union = (areas - common).clamp(min=SMALLEST)
    hull = _area(torch.max(high, other_high) - torch.min(low, other_low)).clamp(min=SMALLEST)
    return common / union - (hull - union) / hull


def _area(sizes: Tensor) -> Tensor:
    """Widths and heights (..., 2) → (...,).

    The backward pass of `prod` would count zeros, and wait for a GPU.
    """
    return sizes[..., 0] * sizes[..., 1]
