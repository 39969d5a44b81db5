"""Losses of boxes and of their deltas, for a head's `loss_bbox`.

mmdet's wait for a GPU to learn whether any weight is positive.

Shapes: A anchors of all images of the batch.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from effnet_dense.models.overlaps import giou
from effnet_dense.registry import MODELS


class BoxLoss(nn.Module):
    """The sum of weighted losses ÷ a normaliser; a base class."""

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Boxes or deltas (A, 4), targets (A, 4), weights (A, 4) → a scalar.

        Args:
            avg_factor: The normaliser; by default 1.
            reduction_override: 'none' returns the weighted losses of `each`, 'mean' their mean if
                there is no normaliser, and 'sum' is for losses without one, as in mmdet.

        Raises:
            ValueError: There is no such reduction, or 'sum' has a normaliser.
        """
        if reduction_override not in (None, 'none', 'mean', 'sum'):
            raise ValueError(
                f"reduction_override must be 'none', 'mean' or 'sum', got {reduction_override!r}"
            )
        if reduction_override == 'sum' and avg_factor is not None:
            raise ValueError("reduction_override='sum' has no avg_factor, got both")
        loss = self.each(pred, target)
        if weight is not None:
            loss = loss * (weight if loss.dim() == weight.dim() else weight.mean(-1))
        if reduction_override == 'none':
            return self.loss_weight * loss
        if reduction_override == 'mean' and avg_factor is None:
            return self.loss_weight * loss.mean()
        return self.loss_weight * self.total(loss) / (1.0 if avg_factor is None else avg_factor)

    def each(self, pred: Tensor, target: Tensor) -> Tensor:
        """(A, 4), (A, 4) → the losses of the coordinates (A, 4), or of the boxes (A,)."""
        raise NotImplementedError

    def total(self, loss: Tensor) -> Tensor:
        """Losses of `each` → a scalar."""
        return loss.sum()


@MODELS.register_module()
class HuberLoss(BoxLoss):
    """Huber's loss of box deltas: ½d² up to δ, δ·(|d| − ½δ) beyond; the mean of the coordinates.

    google/automl (`tf2/train_lib.py: BoxLoss`) weights it by 50. In mmdet it is SmoothL1Loss
    with beta=0.1 and a weight of 1.25.
    """

    def __init__(self, delta: float = 0.1, loss_weight: float = 50.0) -> None:
        super().__init__(loss_weight)
        self.delta = delta

    def each(self, pred: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(pred, target, reduction='none', delta=self.delta)

    def total(self, loss: Tensor) -> Tensor:
        return loss.mean(-1).sum()


@MODELS.register_module()
class L1Loss(BoxLoss):
    """The absolute differences of deltas, with mmdet's values."""

    def each(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).abs()


@MODELS.register_module()
class GIoULoss(BoxLoss):
    """1 − generalised IoU of boxes (arXiv 1902.09630), with mmdet's values."""

    def each(self, pred: Tensor, target: Tensor) -> Tensor:
        return 1 - giou(pred, target)
