"""Soft-NMS of many groups of boxes at once, on NumPy; mmcv's operator and our heads share it.

Taking the best box, lowering the others, and again, is a chain that no device can run side by
side; what can is the groups, and the boxes that one step lowers. NumPy starts such small steps
faster than torch does, on the CPU and all the more on CUDA.

K boxes (x1, y1, x2, y2) in pixels, L of them left, G groups with one left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.intp]

# Taken and dropped boxes stay in the arrays until this share of them is left: a step over a few
# more costs less than making the arrays anew.
COMPACT_AT = 0.5


def decay_by(method: str, sigma: float, iou_threshold: float) -> Callable[[Floats], Floats]:
    """Return the function from overlaps (any,) to what scores of such boxes are multiplied with.

    Raises:
        ValueError: The method is none of 'naive', 'linear' and 'gaussian'.
    """
    if method == 'naive':
        return lambda iou: (iou < iou_threshold).astype(iou.dtype)
    if method == 'linear':
        return lambda iou: 1 - iou * (iou >= iou_threshold)
    if method == 'gaussian':
        return lambda iou: np.exp(iou * iou / -sigma)
    raise ValueError(f"soft-NMS method must be 'naive', 'linear' or 'gaussian', got {method!r}")


def next_below(value: np.floating[Any]) -> np.floating[Any]:
    """Return the largest number of the same type that is less."""
    return np.nextafter(value, type(value)('-inf'))


# Boxes without an end overlap by inf ÷ inf.
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
    """Take the best box of every group again and again, lowering those of the group it overlaps.

    A score is multiplied by one decay after the other, in the order in which the boxes were taken,
    so that the result is that of the definition to the last bit. Boxes that do not overlap do not
    touch each other.

    Args:
        boxes: (K, 4), of the scores' type.
        scores: (K,); NaN is below everything.
        groups: (K,), numbers in any order.
        decay: Of overlaps (any,) above 0.
        floor: A box whose score is no higher is dropped, except the very first one taken.
        offset: 1 where a box's width is x2 - x1 + 1.
        max_num: How many of the highest results are wanted, at least 1; some lower ones may be
            missing then. Wants scores that do not rise, thus none below 0.

    Returns:
        Indices (M,) and lowered scores (M,): of each group in the order in which they were taken,
        of equal ones the first, the groups mixed.
    """
    left = np.flatnonzero(scores > floor)
    if len(left) == 0:
        best = np.argsort(-scores, kind='stable')[:1]
        return best, scores[best]
    # Group by group; within one, of equal scores the lowest index comes first.
    index = left[np.argsort(groups[left], kind='stable')]
    group, score = groups[index], scores[index]
    corners = np.ascontiguousarray(boxes[index].T)
    area = (corners[2] - corners[0] + offset) * (corners[3] - corners[1] + offset)
    starts, member = _layout(group)
    highest = score[:0]
    taken: list[tuple[Indices, Floats]] = []
    while True:
        alive = score > floor
        count = np.count_nonzero(alive)
        if count == 0:
            break
        if count < COMPACT_AT * len(alive) or not np.logical_or.reduceat(alive, starts).all():
            left = np.flatnonzero(alive)
            index, group, score, area = index[left], group[left], score[left], area[left]
            corners, alive = corners.take(left, axis=1), alive[left]
            starts, member = _layout(group)

        best = _first_maxima(score, starts, member)
        taken.append((index[best], score[best]))
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
    return np.concatenate([picks for picks, _ in taken]), np.concatenate([s for _, s in taken])


def _layout(group: NDArray[np.int64]) -> tuple[Indices, Indices]:
    """Where each run of equal numbers in (L,) starts (G,), and which run each is in (L,)."""
    starts = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    return starts, np.repeat(np.arange(len(starts)), np.diff(starts, append=len(group)))


def _first_maxima(score: Floats, starts: Indices, member: Indices) -> Indices:
    """The index (G,) of the first of the highest scores (L,) of each run."""
    if len(starts) == 1:
        return score.argmax(axis=0, keepdims=True)
    maxima = np.flatnonzero(score == np.maximum.reduceat(score, starts)[member])
    return maxima[np.searchsorted(maxima, starts)]
