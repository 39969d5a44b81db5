"""EfficientDet's focal loss: a pure function, and a thin module for configs.

Shapes: A anchors of all images of the batch, C classes.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from effnet_dense.registry import MODELS


def focal_loss(
    logits: Tensor,
    labels: Tensor,
    weight: Tensor | None = None,
    *,
    alpha: float = 0.25,
    gamma: float = 1.5,
) -> Tensor:
    """Sigmoid focal loss (arXiv 1708.02002), summed over anchors and classes.

    Args:
        logits: (A, C).
        labels: (A,), the class from 0 to C − 1; C is the background.
        weight: (A,), a weight for each anchor; 0 ignores it.
        alpha: Weight of an anchor's own class; all others have 1 − alpha.
        gamma: How strongly easy examples are down-weighted.

    Returns:
        A scalar, in float32 or the logits' higher precision.
    """
    return _FocalLoss.apply(logits, labels, weight, alpha, gamma)


class _FocalLoss(torch.autograd.Function):
    """Saves its inputs for backward, an eighth of what autograd would save."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, labels: Tensor, weight: Tensor | None, alpha: float, gamma: float
    ) -> Tensor:
        ctx.save_for_backward(logits, labels, weight)
        ctx.alpha, ctx.gamma = alpha, gamma
        x, own, positive = _prepare(logits, labels)
        # For a negative, 1 − p_t = σ(x) and −log p_t = softplus(x); for a positive, those of −x.
        loss = x.sigmoid().pow_(gamma).mul_(F.softplus(x)).mul_(1 - alpha)
        x = x.gather(1, own)
        of_positive = alpha * (-x).sigmoid() ** gamma * F.softplus(-x)
        loss.scatter_(1, own, torch.where(positive, of_positive, loss.gather(1, own)))
        return loss.sum() if weight is None else (loss.sum(1) * weight).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        logits, labels, weight = ctx.saved_tensors
        x, own, positive = _prepare(logits, labels)
        slope = (1 - ctx.alpha) * _slope(x, ctx.gamma)
        of_positive = -ctx.alpha * _slope(-x.gather(1, own), ctx.gamma)
        slope.scatter_(1, own, torch.where(positive, of_positive, slope.gather(1, own)))
        slope *= grad if weight is None else grad * weight[:, None]
        return slope.to(logits.dtype), None, None, None, None


def _prepare(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the logits in at least float32, each anchor's class, and whether it has one.

    Both are (A, 1). Anchors without one get any class: to select the others, the host would have to
    wait for a GPU to count them.
    """
    x = logits.to(torch.promote_types(logits.dtype, torch.float32))
    labels, classes = labels[:, None], logits.shape[1]
    return x, labels.clamp(max=classes - 1), labels < classes


def _slope(x: Tensor, gamma: float) -> Tensor:
    """Derivative of σ(x)^γ · softplus(x)."""
    wrong = x.sigmoid()
    return wrong**gamma * (wrong + gamma * (1 - wrong) * F.softplus(x))


@MODELS.register_module()
class FocalLoss(nn.Module):
    """`focal_loss` divided by a normaliser, for a head's `loss_cls`.

    Unlike mmdet's, it has one implementation for all devices and saves an eighth as much for
    backward.
    """

    def __init__(
        self,
        use_sigmoid: bool = True,
        gamma: float = 1.5,
        alpha: float = 0.25,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not use_sigmoid:
            raise ValueError('FocalLoss needs use_sigmoid=True: it has no softmax form')
        self.gamma = gamma
        self.alpha = alpha
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float = 1.0,
    ) -> Tensor:
        """Logits (A, C), labels (A,), weights (A,) → a scalar: the sum ÷ `avg_factor`."""
        total = focal_loss(pred, target, weight, alpha=self.alpha, gamma=self.gamma)
        return self.loss_weight * total / avg_factor
