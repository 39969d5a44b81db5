"""Non-maximum suppression in NumPy, for files that end before it.

Shapes: K candidates of an image, M results of an image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
Found = tuple[Floats, Floats, Labels]

UNUSED = -1
"""The label of unused rows."""
TINY = np.float32(1e-12)


def suppress(
    boxes: Floats, scores: Floats, labels: Labels, nms: dict[str, Any], most: int
) -> Found:
    """Suppress overlapping candidates of an image, as `exporting.suppression` does in ONNX.

    Args:
        boxes: (K, 4) as x1, y1, x2, y2.
        scores: (K,); those of 0 are no candidates.
        labels: (K,).
        nms: mmdet's config: type 'nms' or 'soft_nms' with their arguments, `class_agnostic`.
        most: M: `max_per_img`.

    Returns:
        Boxes (M, 4), scores (M,) and labels (M,) by descending score. Unused rows are 0, their
        label is -1.

    Raises:
        ValueError: The type or its method is unknown.
    """
    used = scores > 0
    boxes, scores, labels = boxes[used], scores[used], labels[used]
    groups = np.zeros_like(labels) if nms.get('class_agnostic', False) else labels
    kind = nms.get('type', 'nms')
    if kind == 'nms':
        order = _hard(boxes, scores, groups, _threshold(nms), most)
        best = scores[order]
    elif kind == 'soft_nms':
        order, best = _soft(boxes, scores, groups, nms, most)
    else:
        raise ValueError(f"expected nms.type to be 'nms' or 'soft_nms', got {kind!r}")
    rows = np.zeros((most, 4), np.float32), np.zeros(most, np.float32), np.full(most, UNUSED)
    for row, value in zip(rows, (boxes[order], best, labels[order]), strict=True):
        row[: len(order)] = value
    return rows


def _threshold(nms: dict[str, Any]) -> np.float32:
    return np.float32(nms.get('iou_threshold', nms.get('iou_thr', 0.3)))


def _hard(
    boxes: Floats, scores: Floats, groups: Labels, threshold: np.float32, most: int
) -> NDArray[np.int64]:
    """Return the positions of what is kept.

    As in mmcv's `batched_nms`, boxes of another group are moved to where they cannot overlap.
    """
    span = boxes.max(initial=0) + np.float32(1)
    moved = boxes + (groups.astype(np.float32) * span)[:, None]
    left = np.argsort(-scores, kind='stable')
    kept: list[int] = []
    while len(left) and len(kept) < most:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        left = left[~(overlaps(moved[first], moved[left]) > threshold)]
    return np.array(kept, np.int64)


def _soft(
    boxes: Floats, scores: Floats, groups: Labels, nms: dict[str, Any], most: int
) -> tuple[NDArray[np.int64], Floats]:
    """Return the positions of what is kept, and the lowered scores.

    The definition (Bodla et al. 2017, arXiv:1704.04503).
    """
    decay, floor = _decay(nms), np.float32(nms.get('min_score', 1e-3))
    now = scores.copy()
    order: list[int] = []
    best: list[np.float32] = []
    while len(order) < most and now.max(initial=0) > 0:
        first = int(now.argmax())
        order.append(first)
        best.append(now[first])
        iou = overlaps(boxes[first], boxes)
        met = (iou > 0) & (groups == groups[first])
        now[met] *= decay(iou[met])
        now[now <= floor] = 0
        now[first] = 0
    return np.array(order, np.int64), np.array(best, np.float32)


def _decay(nms: dict[str, Any]) -> Callable[[Floats], Floats]:
    """Return the function that maps overlaps to factors of the scores."""
    threshold, sigma = _threshold(nms), np.float32(nms.get('sigma', 0.5))
    decays: dict[str, Callable[[Floats], Floats]] = {
        'gaussian': lambda iou: np.exp(-(iou * iou / sigma)),
        'linear': lambda iou: np.where(iou >= threshold, 1 - iou, np.float32(1)),
        'naive': lambda iou: (iou < threshold).astype(np.float32),
    }
    method = nms.get('method', 'linear')
    if method not in decays:
        raise ValueError(f'expected nms.method to be one of {sorted(decays)}, got {method!r}')
    return decays[method]


def overlaps(box: Floats, boxes: Floats) -> Floats:
    """Return intersection over union of a box (4,) with others (K, 4)."""
    corner = np.maximum(box[:2], boxes[:, :2])
    sides = np.maximum(np.minimum(box[2:], boxes[:, 2:]) - corner, 0)
    common = sides[:, 0] * sides[:, 1]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return common / np.maximum(area + areas - common, TINY)
