"""Non-maximum suppression: hard, soft (Bodla et al. 2017, arXiv:1704.04503), and grouping.

Boxes are (K, 4) as (x1, y1, x2, y2) in pixels; with offset 1 a box's width is x2 - x1 + 1.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from effnet_dense.compat.mmcv_ops.boxes import overlaps
from effnet_dense.ops.precision import at_least_float32
from effnet_dense.ops.soft_nms import decay_by, next_below, soft_nms

METHODS = ('naive', 'linear', 'gaussian')

# On a CPU, from this number of boxes on they are divided, into at most `PARTS` parts. With fewer
# than `BOXES_PER_PART` on average, the calls would take longer than the comparisons.
DIVIDED_FROM = 640
PARTS = 64
BOXES_PER_PART = 128
# Parts in which boxes are compared with the kept ones, to bound the memory
MATCHED_PARTS = 8


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return kept boxes' indices by descending score; an IoU above the threshold suppresses.

    torchvision's CPU operator compares every box with all that are kept before it. ``batched_nms``
    moves each class to a place of its own, so most of these pairs have nothing in common. Boxes
    that a gap in x separates are passed to it in parts.
    """
    boxes, scores = at_least_float32(boxes, scores)
    if offset:
        # Adding the offset to the bottom right corners adds it to every width, height and overlap.
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    plain = type(boxes) is Tensor and boxes.device.type == 'cpu'  # fake tensors have no values
    if not plain or len(boxes) < DIVIDED_FROM or not iou_threshold >= 0:
        return torch.ops.torchvision.nms(boxes, scores, iou_threshold)
    by_score = scores.argsort(descending=True, stable=True)
    boxes, scores = boxes[by_score], scores[by_score]
    part = _separate_parts(boxes)
    if part is None:
        return by_score[torch.ops.torchvision.nms(boxes, scores, iou_threshold)]
    by_part = part.argsort(stable=True)
    sizes = part.bincount().tolist()
    kept, start = [], 0
    for some in zip(boxes[by_part].split(sizes), scores[by_part].split(sizes), strict=True):
        kept.append(torch.ops.torchvision.nms(*some, iou_threshold).add_(start))
        start += len(some[0])
    return by_score[by_part[torch.cat(kept)].sort().values]


def _separate_parts(boxes: Tensor) -> Tensor | None:
    """Return a part's number (K,) for each box; boxes of different parts do not overlap in x.

    None if there is one part. Groups of overlapping boxes are combined to at most `PARTS` parts.
    """
    left, by_left = boxes[:, 0].sort()
    reach = boxes[by_left, 2].cummax(0).values
    if not bool(reach[-1].isfinite()):  # NaN compares with everything as it likes
        return None
    position = torch.arange(len(boxes))
    starts = torch.cat((left.new_ones(1, dtype=torch.bool), left[1:] >= reach[:-1]))
    start_of_group = torch.where(starts, position, 0).cummax(0).values
    part = start_of_group * min(PARTS, len(boxes) // BOXES_PER_PART) // len(boxes)
    if int(part[-1]) == 0:
        return None
    part = torch.cat((part.new_zeros(1), (part[1:] != part[:-1]).to(part.dtype))).cumsum(0)
    return torch.empty_like(part).scatter_(0, by_left, part)


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
    if len(dets) == 0:
        return []
    (dets,) = at_least_float32(dets)
    order = dets[:, 4].argsort(descending=True, stable=True)
    boxes = dets[order, :4]
    # torch compares in the boxes' precision; nothing lies between the threshold and the one below.
    threshold = torch.tensor(iou_threshold, dtype=dets.dtype)
    below = float(threshold.nextafter(torch.tensor(-torch.inf, dtype=dets.dtype)))
    kept = torch.ops.torchvision.nms(boxes, dets[order, 4], below)
    suppressor = torch.cat(
        [
            _suppressors(part, boxes[kept], threshold.to(dets.device))
            for part in boxes.tensor_split(MATCHED_PARTS)
        ]
    )
    suppressor[kept] = torch.arange(len(kept), device=kept.device)
    members = order[suppressor.argsort(stable=True)].tolist()
    ends = suppressor.bincount().cumsum(0).tolist()
    return [members[start:end] for start, end in pairwise([0, *ends])]


def _suppressors(boxes: Tensor, kept: Tensor, threshold: Tensor) -> Tensor:
    """Return for each box (K, 4) the first of the kept ones (M, 4) that suppresses it: (K,).

    One that rounding puts below the threshold gets the box that it overlaps most.
    """
    ious = overlaps(boxes[:, None], kept)
    above = ious >= threshold
    most = ious.nan_to_num(-1).argmax(1)
    return torch.where(above.any(1), above.to(torch.uint8).argmax(1), most)
