"""Non-maximum suppression: hard, soft (Bodla et al. 2017, arXiv:1704.04503), and with its matches.

Boxes are (K, 4) as (x1, y1, x2, y2) in pixels; with offset 1 a box's width is x2 - x1 + 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .boxes import overlaps
from .precision import at_least_float32

NAIVE, LINEAR, GAUSSIAN = 0, 1, 2


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return the indices of the kept boxes, by falling score; IoU above the threshold drops."""
    boxes, scores = at_least_float32(boxes, scores)
    # Adding the offset to the far corner adds it to every width, height and overlap alike.
    boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torch.ops.torchvision.nms(boxes, scores, iou_threshold)


def _decay(iou: Tensor, iou_threshold: float, sigma: float, method: int) -> Tensor:
    """Return what the scores of boxes with these overlaps (K,) are multiplied with."""
    if method == NAIVE:
        return (iou < iou_threshold).to(iou.dtype)
    if method == LINEAR:
        return torch.where(iou >= iou_threshold, 1 - iou, 1.0)
    if method == GAUSSIAN:
        return torch.exp(-iou.square() / sigma)
    raise ValueError(f'soft-NMS method must be 0 (naive), 1 (linear) or 2 (gaussian), got {method}')


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Take the best box again and again, lowering the scores of those that overlap it.

    Writes the taken boxes and their lowered scores to the first rows of dets (K, 5) and returns
    their indices, in the order they were taken. As in mmcv the first box is taken whatever its
    score; others end below min_score.
    """
    left, left_scores = at_least_float32(boxes, scores)
    indices = torch.arange(len(left), device=boxes.device)
    taken: list[Tensor] = []
    while len(indices) > 0:
        best = int(left_scores.argmax())
        dets[len(taken), :4] = left[best]
        dets[len(taken), 4] = left_scores[best]
        taken.append(indices[best])
        # Two boxes without area have overlap 0/0: they do not touch each other's scores.
        iou = overlaps(left[best], left, offset).nan_to_num(0.0)
        left_scores = left_scores * _decay(iou, iou_threshold, sigma, method)
        keep = left_scores >= min_score
        keep[best] = False
        left, left_scores, indices = left[keep], left_scores[keep], indices[keep]
    return torch.stack(taken) if taken else indices


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Group boxes (K, 5), score last: each kept box's index and those that it suppressed.

    Unlike `nms`, an IoU equal to the threshold suppresses. Groups and their members come by
    falling score.
    """
    (dets,) = at_least_float32(dets)
    order = dets[:, 4].argsort(descending=True, stable=True)
    groups = []
    while len(order) > 0:
        best, rest = order[0], order[1:]
        matched = overlaps(dets[best, :4], dets[rest, :4]) >= iou_threshold
        groups.append([int(best), *rest[matched].tolist()])
        order = rest[~matched]
    return groups
