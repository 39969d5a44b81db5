"""Match detections to objects; score images and count confusions by the matches.

Shapes: see `detection`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

IOU = 0.5


@dataclass
class Matches:
    """pycocotools' matches between boxes of the same class."""

    right: NDArray[np.bool_]  # (T, N)
    ignored: NDArray[np.bool_]  # (T, N), matched to crowds
    kept: NDArray[np.bool_]  # (N,), at or above the score threshold
    truth_found: NDArray[np.bool_]  # (G,), at the first IoU threshold by a kept detection


def matches(
    eval_images: Sequence[dict[str, Any] | None],
    truth_ids: NDArray[np.int64],
    scores: NDArray[np.float64],
    score_thr: float,
) -> Matches:
    """Read COCOeval's `evalImgs` of one range of areas.

    Better detections are matched first: leaving out low scores afterwards changes no other match.

    Args:
        eval_images: One per class and image; ids of detections count from 1.
        truth_ids: (G,)
        scores: (N,)
        score_thr: Detections of a lower score are not kept.
    """
    known = [each for each in eval_images if each is not None]
    steps = len(known[0]['dtMatches']) if known else 10
    right = np.zeros((steps, len(scores)), dtype=bool)
    ignored = np.zeros_like(right)
    kept = scores >= score_thr
    found: set[int] = set()
    for each in known:
        rows = np.array(each['dtIds'], dtype=np.int64) - 1
        hits = np.asarray(each['dtMatches']) > 0
        right[:, rows] = hits
        ignored[:, rows] = np.asarray(each['dtIgnore'], dtype=bool)
        if len(rows):
            found.update(np.asarray(each['dtMatches'])[0, hits[0] & kept[rows]].astype(int))
    return Matches(right, ignored, kept, np.isin(truth_ids, sorted(found)))


def image_scores(
    hits: Matches,
    found_image: NDArray[np.int64],
    truth_image: NDArray[np.int64],
    images: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Score each image by the detections that are kept.

    The score is F1 = 2 right ÷ (2 right + wrong + missed), averaged over the IoU thresholds: it
    measures how many objects were found and how closely.

    Args:
        hits: From `matches`.
        found_image: (N,), index of each detection's image.
        truth_image: (G',), that of each object that is not a crowd.
        images: M

    Returns:
        scores: (M,) from 0 to 1, NaN if there are neither objects nor detections.
        counts: (M, 3) right, wrong and missed at IoU 0.5.
    """
    objects = np.bincount(truth_image, minlength=images)
    counts = []
    for right, ignored in zip(hits.right, hits.ignored, strict=True):
        counted = hits.kept & ~ignored
        good = np.bincount(found_image[counted & right], minlength=images)
        bad = np.bincount(found_image[counted & ~right], minlength=images)
        counts.append(np.stack([good, bad, objects - good], 1))
    good, bad, missed = np.moveaxis(np.array(counts), 2, 0)  # (T, M) each
    total = 2 * good + bad + missed
    f1 = np.divide(2 * good, total, out=np.full(total.shape, np.nan), where=total > 0)
    return f1.mean(0), counts[0]


def confusion(
    truth: Mapping[str, NDArray[Any]],
    found: Mapping[str, NDArray[Any]],
    classes: int,
    score_thr: float,
) -> NDArray[np.int64]:
    """Count which class was detected as which, at IoU 0.5.

    In order of decreasing scores each detection takes the free object that it overlaps most, of any
    class. Objects that remain were missed, and detections that remain belong to the background;
    those within a crowd are not counted.

    Args:
        truth: `truth_image`, `truth_label`, `truth_box`, `truth_crowd`.
        found: `found_image`, `found_label`, `found_box`, `found_score`.
        classes: K
        score_thr: Detections of a lower score are left out.

    Returns:
        (K + 1, K + 1), truth by prediction; the last is the background.
    """
    matrix = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    order = np.argsort(-found['found_score'], kind='stable')
    order = order[found['found_score'][order] >= score_thr]
    rows_of = by_image(found['found_image'], order)
    objects_of = by_image(truth['truth_image'], np.arange(len(truth['truth_image'])))
    none = np.zeros(0, dtype=np.int64)
    for image in {**rows_of, **objects_of}:
        rows, objects = rows_of.get(image, none), objects_of.get(image, none)
        _count(matrix, truth, found, objects, rows)
    return matrix


def by_image(images: NDArray[np.int64], rows: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Group rows by their images; within an image they keep their order.

    Args:
        images: Image of each row, including those that are not in `rows`.
        rows: Indices into `images`.
    """
    rows = rows[np.argsort(images[rows], kind='stable')]
    present, starts = np.unique(images[rows], return_index=True)
    return dict(zip(present.tolist(), np.split(rows, starts[1:]), strict=False))


def _count(
    matrix: NDArray[np.int64],
    truth: Mapping[str, NDArray[Any]],
    found: Mapping[str, NDArray[Any]],
    objects: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> None:
    """Add one image's objects, and its detections in order of decreasing scores."""
    background = len(matrix) - 1
    crowd = truth['truth_crowd'][objects]
    iou = _overlaps(found['found_box'][rows], truth['truth_box'][objects], crowd)
    free = ~crowd
    for row, overlaps in zip(rows, iou, strict=True):
        label = found['found_label'][row]
        best = int(np.argmax(np.where(free, overlaps, -1))) if len(objects) else 0
        if len(objects) and free[best] and overlaps[best] >= IOU:
            free[best] = False
            matrix[truth['truth_label'][objects[best]], label] += 1
        elif not (overlaps[crowd] >= IOU).any():
            matrix[background, label] += 1
    np.add.at(matrix, (truth['truth_label'][objects[free]], background), 1)


def _overlaps(
    found: NDArray[np.float64], truth: NDArray[np.float64], crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the IoU (N, G) of corner boxes; with crowds, the covered share of the detection."""
    if not len(found) or not len(truth):
        return np.zeros((len(found), len(truth)))
    sides = [np.concatenate([box[:, :2], box[:, 2:] - box[:, :2]], 1) for box in (found, truth)]
    return np.asarray(coco_mask.iou(*sides, crowd.astype(np.uint8).tolist()))
