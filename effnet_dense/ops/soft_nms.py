"""Exact soft-NMS (Bodla et al. 2017, arXiv:1704.04503) of many groups of boxes at once.

Selecting the best box and lowering the scores of the others is a sequential loop; only the groups,
and the boxes that one step lowers, are independent. NumPy has less overhead per step than PyTorch
on the CPU, and far less than on CUDA.

Shapes: K boxes (x1, y1, x2, y2) in pixels, L of them remaining, G groups with a remaining box.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from effnet_dense.ops.precision import at_least_float32

Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.intp]

# Selected and dropped boxes stay in the arrays until this share of them remains: a step over a few
# more costs less than compacting the arrays.
COMPACT_AT = 0.5


def decay_by(method: str, sigma: float, iou_threshold: float) -> Callable[[Floats], Floats]:
    """Return the function that maps IoUs (L,) to factors of the scores (L,).

    Raises:
        ValueError: The method is not 'naive', 'linear' or 'gaussian'.
    """
    if method == 'naive':
        return lambda iou: (iou < iou_threshold).astype(iou.dtype)
    if method == 'linear':
        return lambda iou: 1 - iou * (iou >= iou_threshold)
    if method == 'gaussian':
        return lambda iou: np.exp(iou * iou / -sigma)
    raise ValueError(f"soft-NMS method must be 'naive', 'linear' or 'gaussian', got {method!r}")


def next_below(value: np.floating[Any]) -> np.floating[Any]:
    """Return the largest smaller number of the same type."""
    return np.nextafter(value, type(value)('-inf'))


# Infinite boxes overlap by inf ÷ inf.
@np.errstate(invalid='ignore', over='ignore')
def soft_nms(
    boxes: Floats,
    scores: Floats,
    groups: NDArray[np.int64],
    decay: Callable[[Floats], Floats],
    floor: np.floating[Any],
    *,
    offset: int = 0,
    max_num: int | None = None,
) -> tuple[Indices, Floats]:
    """Repeatedly select the best box of every group and lower the scores of boxes it overlaps.

    A score is multiplied by the decays one by one, in the order of selection, so the result equals
    the definition's bit for bit. Boxes that do not overlap do not affect each other.

    Args:
        boxes: (K, 4), in the scores' type.
        scores: (K,); NaN is below every number.
        groups: (K,), group numbers in any order.
        decay: Maps IoUs (L,) above 0 to factors (L,); see `decay_by`.
        floor: A box whose score is no higher is dropped, except the first one selected.
        offset: 1 if a box's width is x2 - x1 + 1, else 0.
        max_num: How many of the highest results are needed, at least 1; some lower ones may then
            be missing. Requires non-negative scores, which never rise.

    Returns:
        Indices (M,) and lowered scores (M,): within a group in the order of selection, the first
        of equal ones first; the groups are interleaved.
    """
    remaining = np.flatnonzero(scores > floor)
    if len(remaining) == 0:
        best = np.argsort(-scores, kind='stable')[:1]
        return best, scores[best]
    # Sorted by group; within a group, the lowest index of equal scores comes first.
    index = remaining[np.argsort(groups[remaining], kind='stable')]
    group, score = groups[index], scores[index]
    corners = np.ascontiguousarray(boxes[index].T)
    area = (corners[2] - corners[0] + offset) * (corners[3] - corners[1] + offset)
    starts, member = _layout(group)
    highest = score[:0]
    selected: list[tuple[Indices, Floats]] = []
    while True:
        alive = score > floor
        count = np.count_nonzero(alive)
        if count == 0:
            break
        if count < COMPACT_AT * len(alive) or not np.logical_or.reduceat(alive, starts).all():
            keep = np.flatnonzero(alive)
            index, group, score, area = index[keep], group[keep], score[keep], area[keep]
            corners, alive = corners.take(keep, axis=1), alive[keep]
            starts, member = _layout(group)

        best = _first_maxima(score, starts, member)
        selected.append((index[best], score[best]))
        if max_num is not None:
            highest = np.sort(np.append(highest, score[best]))[-max_num:]
            if len(highest) == max_num:
                floor = max(floor, next_below(highest[0]))

        over = corners.take(best, axis=1)
        if len(best) > 1:
            over = over.take(member, axis=1)
        size = np.minimum(corners[2:], over[2:])
        size -= np.maximum(corners[:2], over[:2])
        size += offset
        np.maximum(size, 0, out=size)
        common = size[0] * size[1]
        score[best], alive[best] = -np.inf, False
        touched = np.flatnonzero(alive & (common > 0))
        common = common[touched]
        iou = common / (area[best[member[touched]]] + area[touched] - common)
        iou[np.isnan(iou)] = 0
        score[touched] *= decay(iou)
    return np.concatenate([i for i, _ in selected]), np.concatenate([s for _, s in selected])


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
    """Run soft-NMS per class: select the best box, lower the scores of boxes it overlaps, repeat.

    The result equals the definition's bit for bit: classes are kept apart as groups, not by
    shifting each class's boxes far away, which costs the coordinates precision. Of equal scores
    the lowest index is selected first. Boxes without area affect no others.

    As in effdet, a box is dropped once its score is no higher than `min_score`, except the first
    one selected; in mmcv's `soft_nms` a score equal to `min_score` stays. An IoU equal to
    `iou_threshold` counts as overlap, as in mmcv; in effdet it does not.

    It runs on the CPU for tensors of any device, with one synchronisation: the steps depend on
    each other, and launching thousands of kernels would take longer.

    Args:
        boxes: (K, 4), (x1, y1, x2, y2) in pixels.
        scores: (K,), at least 0.
        labels: (K,), integers.
        sigma: For 'gaussian': an overlap multiplies a score by exp(-IoU² ÷ sigma).
        min_score: Scores must exceed it.
        method: 'gaussian'; 'linear': IoUs of at least `iou_threshold` multiply by 1 - IoU;
            'naive': they drop the box, as hard NMS does.
        iou_threshold: For 'linear' and 'naive'; above 0.
        max_num: Return only the first `max_num`, which takes less time. None: all.

    Returns:
        Indices (M,) and lowered scores (M,) of the boxes in descending order of score. The scores
        have the widest of the inputs' types, at least float32, and no gradient.

    Raises:
        ValueError: The method is unknown, or `max_num` is below 1.
    """
    if max_num is not None and max_num < 1:
        raise ValueError(f'max_num must be at least 1, or None for all, got {max_num}')
    device = boxes.device
    boxes, scores = (tensor.cpu() for tensor in at_least_float32(boxes.detach(), scores.detach()))
    score_array = scores.numpy()
    index, lowered = soft_nms(
        boxes.numpy(),
        score_array,
        labels.cpu().long().numpy(),
        decay_by(method, sigma, iou_threshold),
        score_array.dtype.type(min_score),
        max_num=max_num,
    )
    order = np.lexsort((index, -lowered))[:max_num]
    return torch.from_numpy(index[order]).to(device), torch.from_numpy(lowered[order]).to(device)


def _layout(group: NDArray[np.int64]) -> tuple[Indices, Indices]:
    """Return where each run of equal numbers starts (G,), and the run of each element (L,)."""
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    return starts, np.repeat(np.arange(len(starts)), np.diff(starts, append=len(group)))


def _first_maxima(score: Floats, starts: Indices, member: Indices) -> Indices:
    """Return the index (G,) of the first maximum of the scores (L,) in each run."""
    if len(starts) == 1:
        return score.argmax(axis=0, keepdims=True)
    maxima = np.flatnonzero(score == np.maximum.reduceat(score, starts)[member])
    return maxima[np.searchsorted(maxima, starts)]
