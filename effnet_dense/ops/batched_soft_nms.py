"""Soft-NMS class by class (Bodla et al. 2017, arXiv:1704.04503), exact and fast."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from effnet_dense.ops.precision import at_least_float32
from effnet_dense.ops.soft_nms import decay_by, soft_nms


def batched_soft_nms(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    *,
    sigma: float = 0.5,
    min_score: float = 1e-3,
    method: str = 'gaussian',
    iou_threshold: float = 0.3,
    max_num: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Take the best box again and again, lowering the scores of its class that overlap it.

    The result is the one of that definition, to the last bit: classes are kept apart as such, not
    by shifting each class's boxes far away, which costs the coordinates their last digits. Of
    equal scores the lowest index is taken first. Boxes without an area touch no other.

    As in effdet a box is dropped once its score is no higher than `min_score`, except the first
    one taken; in mmcv's `soft_nms` a score equal to `min_score` stays. An overlap equal to
    `iou_threshold` counts as in mmcv; in effdet it does not.

    Computed on the CPU wherever the tensors are, with one wait for the device: the steps depend on
    each other, and thousands of kernels would take longer.

    Args:
        boxes: (K, 4), (x1, y1, x2, y2) in pixels.
        scores: (K,), at least 0.
        labels: (K,), integers.
        sigma: Of 'gaussian': an overlap multiplies a score with exp(-IoU² ÷ sigma).
        min_score: What the scores must exceed.
        method: 'gaussian'; 'linear': IoUs of at least `iou_threshold` multiply with 1 - IoU;
            'naive': they drop the box, as hard NMS does.
        iou_threshold: Of 'linear' and 'naive'; above 0.
        max_num: Return the first so many alone, which takes less time. None: all.

    Returns:
        Indices (M,) and lowered scores (M,) of the boxes in the order taken, thus by falling
        score. The scores have the widest of the inputs' types, float32 at least, and no gradient.

    Raises:
        ValueError: An unknown method, a `max_num` below 1.
    """
    if max_num is not None and max_num < 1:
        raise ValueError(f'max_num must be at least 1, or None for all, got {max_num}')
    device = boxes.device
    boxes, scores = (tensor.cpu() for tensor in at_least_float32(boxes.detach(), scores.detach()))
    points = scores.numpy()
    index, lowered = soft_nms(
        boxes.numpy(),
        points,
        labels.cpu().long().numpy(),
        decay_by(method, sigma, iou_threshold),
        points.dtype.type(min_score),
        max_num=max_num,
    )
    order = np.lexsort((index, -lowered))[:max_num]
    return torch.from_numpy(index[order]).to(device), torch.from_numpy(lowered[order]).to(device)
