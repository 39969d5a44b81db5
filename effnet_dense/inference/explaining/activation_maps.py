"""Class-activation maps: features and the gradients of one score → where the score comes from.

Shapes: D channels, h × w pixels of a level, H × W pixels of the network's input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Method = Callable[[Tensor, Tensor], Tensor]


def hires_cam(features: Tensor, gradients: Tensor) -> Tensor:
    """Products of features and gradients (D, h, w), summed over channels: (h, w).

    For layers that the score is linear in, these are its parts (Draelos and Carin 2020,
    arXiv:2011.08891).
    """
    return (features * gradients).sum(0)


def grad_cam(features: Tensor, gradients: Tensor) -> Tensor:
    """Features weighted by the mean gradient of their channel (Selvaraju 2017, 1610.02391)."""
    return (features * gradients.mean((1, 2), keepdim=True)).sum(0)


def grad_cam_plus_plus(features: Tensor, gradients: Tensor) -> Tensor:
    """Features weighted by the positive gradients of their channel (Chattopadhay 2018, 1710.11063).

    A pixel's weight α = g² ÷ (2 g² + g³ · ΣA) is for the exponential of the score, as there.
    """
    squares = gradients.square()
    below = 2 * squares + squares * gradients * features.sum((1, 2), keepdim=True)
    alpha = torch.where(below == 0, 0.0, squares / torch.where(below == 0, 1.0, below))
    weights = (alpha * gradients.relu()).sum((1, 2), keepdim=True)
    return (features * weights).sum(0)


def layer_cam(features: Tensor, gradients: Tensor) -> Tensor:
    """Features weighted by their own positive gradients (LayerCAM, Jiang 2021)."""
    return (features * gradients.relu()).sum(0)


METHODS: dict[str, Method] = {
    'hirescam': hires_cam,
    'gradcam': grad_cam,
    'gradcam++': grad_cam_plus_plus,
    'layercam': layer_cam,
}


def combined(
    levels: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    method: Method,
    size: tuple[int, int],
) -> Tensor:
    """Return the positive part of the sum of the levels' maps: (H, W).

    A pixel of a coarse level spreads its share over the pixels that it covers.

    Args:
        levels: (D, h, w) each.
        gradients: Of one score with respect to the levels; None where it does not depend on one.
        method: One of `METHODS`.
        size: (H, W).
    """
    total = levels[0].new_zeros(size)
    for features, gradient in zip(levels, gradients, strict=True):
        if gradient is None:
            continue
        found = method(features, gradient)
        share = found.numel() / total.numel()
        large = F.interpolate(found[None, None], size, mode='bilinear', align_corners=False)
        total += share * large[0, 0]
    return total.relu()
