"""Cross-entropy of pixels with class weights.

With class weights, mmseg's loss also looks up weights for ignored pixels and fails, since their
label is not a class (mmseg 1.2 `models/losses/cross_entropy_loss.py`).

Shapes: N images, C classes, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from effnet_dense.registry import MODELS


def weighted_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    class_weight: Tensor | None = None,
    pixel_weight: Tensor | None = None,
    ignore_index: int = 255,
) -> Tensor:
    """Compute the weighted mean over pixels, as PyTorch's `cross_entropy` does.

    Args:
        logits: (N, C, H, W).
        labels: (N, H, W), from 0 to C − 1, or `ignore_index`.
        class_weight: (C,).
        pixel_weight: (N, H, W), from a sampler; it does not change the divisor.

    Returns:
        A scalar in float32 or the logits' higher precision; 0 if every pixel is ignored.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    counted = labels != ignore_index
    weight = counted.to(logits.dtype)
    if class_weight is not None:
        class_weight = class_weight.to(logits)
        weight = weight * class_weight[labels.where(counted, 0)]
    loss = F.cross_entropy(
        logits, labels, class_weight, ignore_index=ignore_index, reduction='none'
    )
    if pixel_weight is not None:
        loss = loss * pixel_weight
    total = weight.sum()
    return loss.sum() / total.where(total > 0, 1)


def two_classes(logits: Tensor) -> Tensor:
    """Write a single channel (N, 1, H, W) as the logits (N, 2, H, W) of classes 0 and 1.

    The softmax of 0 and x is the sigmoid of −x and of x. Other numbers of channels are unchanged.
    """
    return F.pad(logits, (0, 0, 0, 0, 1, 0)) if logits.shape[1] == 1 else logits


@MODELS.register_module()
class CrossEntropyLoss(nn.Module):
    """`weighted_cross_entropy` for a decode head's `loss_decode`.

    For a head of one channel (`out_channels=1`) it is the binary cross-entropy of its sigmoid.

    Raises:
        ValueError: In the forward pass, if the numbers of weights and classes differ.
    """

    def __init__(
        self,
        class_weight: Sequence[float] | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ce',
    ) -> None:
        super().__init__()
        self.class_weight = None if class_weight is None else list(class_weight)
        weights = None if class_weight is None else torch.tensor(self.class_weight).float()
        self._weights: Tensor | None
        self.register_buffer('_weights', weights, persistent=False)  # on the model's device
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        **kwargs: Any,
    ) -> Tensor:
        """Logits (N, C, H, W), labels (N, H, W), weights (N, H, W) → a scalar."""
        pred = two_classes(pred)
        classes = self.class_weight
        if classes is not None and len(classes) != pred.shape[1]:
            raise ValueError(
                f'class_weight must have {pred.shape[1]} numbers, one per class, got {classes}'
            )
        loss = weighted_cross_entropy(pred, target, self._weights, weight, ignore_index)
        return self.loss_weight * loss
