"""The Jaccard loss: a differentiable mean IoU.

Shapes: N images, C classes, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.models.cross_entropy_loss import two_classes
from effnet_dense.registry import MODELS


def jaccard_loss(logits: Tensor, labels: Tensor, ignore_index: int = 255) -> Tensor:
    """Compute 1 − IoU with probabilities as predictions, averaged over the classes that occur.

    Every class counts the same, however few pixels it has, as in the mean IoU. The IoU is computed
    over all images of the batch, since thin classes have only a few pixels per image (arXiv
    1608.01471, section 3).

    Args:
        logits: (N, C, H, W).
        labels: (N, H, W), from 0 to C − 1, or `ignore_index`.

    Returns:
        A scalar in float32 or the logits' higher precision; 0 if every pixel is ignored.
    """
    classes = logits.shape[1]
    counted = labels != ignore_index
    dtype = torch.promote_types(logits.dtype, torch.float32)
    # An ignored pixel belongs to no class, neither in the prediction nor in the ground truth.
    probabilities = logits.softmax(1, dtype=dtype) * counted[:, None]
    own = labels.where(counted, 0).long()
    right = probabilities.gather(1, own[:, None]).flatten()
    intersection = probabilities.new_zeros(classes).index_add(0, own.flatten(), right)
    # Neither bincount nor a mask: the host would wait for a GPU.
    truth = own.new_zeros(classes).index_add(0, own.flatten(), counted.flatten().long())
    union = probabilities.sum((0, 2, 3)) + truth - intersection
    present = truth > 0
    losses = 1 - intersection / union.where(present, 1)
    return losses.where(present, 0).sum() / present.sum().clamp(min=1)


@MODELS.register_module()
class JaccardLoss(nn.Module):
    """`jaccard_loss` for a decode head's `loss_decode`, next to a cross-entropy.

    A head of one channel (`out_channels=1`) has the classes 0 and 1, by its sigmoid.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_jaccard') -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self, pred: Tensor, target: Tensor, ignore_index: int = 255, **kwargs: Any
    ) -> Tensor:
        """Logits (N, C, H, W) and labels (N, H, W) → a scalar.

        Args:
            kwargs: Unused, among them the pixel `weight` from mmseg's samplers: the loss compares
                regions, not pixels.
        """
        return self.loss_weight * jaccard_loss(two_classes(pred), target, ignore_index)
