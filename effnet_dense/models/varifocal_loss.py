"""Varifocal loss as DETRs use it: scores learn the IoU of their boxes (RT-DETR, section 4.1).

Shapes: Q queries of all images, C classes.
"""

from __future__ import annotations

import torch
from mmdet.models.losses import QualityFocalLoss
from torch import Tensor
from torch.nn import functional

from effnet_dense.registry import MODELS


@MODELS.register_module()
class VarifocalLoss(QualityFocalLoss):
    """Cross-entropy with the IoU as target, where other classes are weighted by their score.

    mmdet's heads of DETRs compute the IoU for losses of the class `QualityFocalLoss` only, and give
    its `VarifocalLoss` labels. Unlike the latter, weights have no gradient, as in RT-DETR.

    Args:
        alpha: Weight of the classes that an object does not have.
        gamma: How strongly their easy examples are down-weighted.
        loss_weight: Factor of the loss.
    """

    def __init__(self, alpha: float = 0.75, gamma: float = 2.0, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight=loss_weight)
        self.alpha, self.gamma = alpha, gamma

    def forward(
        self,
        pred: Tensor,
        target: tuple[Tensor, Tensor],
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the loss, a sum ÷ `avg_factor`.

        Args:
            pred: Logits (Q, C).
            target: Labels (Q,), of which C is the background, and IoUs (Q,).
            weight: (Q,), a weight for each query.
            avg_factor: Usually the number of objects; by default the sum is returned.
            reduction_override: None.

        Raises:
            ValueError: There is a `reduction_override`.
        """
        if reduction_override is not None:
            raise ValueError(f'expected no reduction_override, got {reduction_override!r}')
        labels, quality = target
        pred = pred.float()  # bfloat16 has steps of 1/256 near an IoU of 1
        # One column more, which is cut off: the background has no class.
        own = functional.one_hot(labels, pred.shape[1] + 1)[:, :-1].float()
        wanted = own * quality[:, None].float()
        factor = self.alpha * pred.detach().sigmoid().pow(self.gamma) * (1 - own) + wanted
        loss = functional.binary_cross_entropy_with_logits(pred, wanted, factor, reduction='none')
        loss = loss if weight is None else loss * weight[:, None]
        total: Tensor = self.loss_weight * loss.sum()
        if avg_factor is None:
            return total
        return total / torch.as_tensor(avg_factor, device=total.device)
