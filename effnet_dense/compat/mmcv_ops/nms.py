"""Non-maximum suppression: hard, soft (Bodla et al. 2017, arXiv:1704.04503), and grouping.

Boxes are (K, 4) as (x1, y1, x2, y2) in pixels; with offset 1 a box's width is x2 - x1 + 1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from effnet_dense.compat.mmcv_ops.boxes import overlaps
from effnet_dense.ops.precision import at_least_float32
from effnet_dense.ops.soft_nms import decay_by, next_below, soft_nms

METHODS = ('naive', 'linear', 'gaussian')


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return kept boxes' indices by descending score; an IoU above the threshold suppresses."""
    boxes, scores = at_least_float32(boxes, scores)
    # Adding the offset to the bottom right corners adds it to every width, height and overlap.
    boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torch.ops.torchvision.nms(boxes, scores, iou_threshold)


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
    """Repeatedly select the box of highest score and lower the scores of boxes it overlaps.

    Boxes that do not overlap do not affect each other at any threshold; nor do boxes
    without area, whose overlap is 0/0.

    Args:
        boxes: (K, 4).
        scores: (K,).
        dets: (K, 5); the selected boxes and their lowered scores are written to its first rows.
        iou_threshold, sigma: See `ops.soft_nms.decay_by`.
        min_score: Selection ends below it. As in mmcv, the first box is always selected.
        method: Index into `METHODS`.
        offset: 0 or 1, see above.

    Returns:
        The indices of the selected boxes, in order.
    """
    if method not in range(len(METHODS)):
        raise ValueError(
            f'soft-NMS method must be 0 (naive), 1 (linear) or 2 (gaussian), got {method}'
        )
    box_array, score_array = (x.cpu().numpy() for x in at_least_float32(boxes, scores))
    index, lowered = soft_nms(
        box_array,
        score_array,
        np.zeros(len(box_array), dtype=np.int64),
        decay_by(METHODS[method], sigma, iou_threshold),
        next_below(score_array.dtype.type(min_score)),
        offset=offset,
    )
    selected = torch.from_numpy(index).to(boxes.device)
    dets[: len(selected), :4] = boxes[selected]
    dets[: len(selected), 4] = torch.from_numpy(lowered)
    return selected


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Group boxes (K, 5), score last: each kept box's index and those that it suppresses.

    Unlike in `nms`, an IoU equal to the threshold suppresses. Groups and their members are ordered
    by descending score.
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
