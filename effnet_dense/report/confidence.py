"""Compute precision, recall and F1 over the score threshold, and each class's best threshold.

Shapes: T thresholds, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from effnet_dense.report.detection import Detections

THRESHOLDS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Confidence:
    """Figures at IoU 0.5 of the detections with at least a score of `THRESHOLDS`.

    Attributes:
        precision: (T, K); NaN where nothing is detected.
        recall: (T, K); NaN for classes without objects.
        f1: (T, K); NaN for classes without objects.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]

    def best(self, label: int) -> int | None:
        """Return the index of the threshold of a class with the highest F1, the middle of several.

        None if nothing was found right.
        """
        values = np.nan_to_num(self.f1[:, label])
        if not values.max(initial=0) > 0:
            return None
        highest = np.flatnonzero(values >= values.max() - 1e-12)
        # The first run of equal values: a gap in the scores, in whose middle a threshold is safest.
        run = highest[: int(np.argmax(np.diff(highest, append=highest[-1] + 2) > 1)) + 1]
        return int(run[len(run) // 2])


def by_class(found: Detections, classes: int) -> Confidence:
    """Return the figures of each class."""
    counts = [_counts(found, found.found_label == label, label) for label in range(classes)]
    return _figures(np.array(counts).reshape(classes, 3, -1))


def together(found: Detections) -> Confidence:
    """Return the figures of all classes' detections and objects together, with K = 1."""
    everything = np.ones(len(found.found_label), dtype=bool)
    return _figures(np.array([_counts(found, everything, None)]))


def _counts(found: Detections, mine: NDArray[np.bool_], label: int | None) -> NDArray[np.float64]:
    """Return right and all detections at each threshold, and the number of objects: (3, T)."""
    mine = mine & (found.found_right >= 0)
    objects = ~found.truth_crowd
    if label is not None:
        objects &= found.truth_label == label
    right = _at_least(found.found_score[mine & (found.found_right == 1)])
    return np.stack([right, _at_least(found.found_score[mine]), np.full(len(right), objects.sum())])


def _at_least(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count the scores from each threshold up."""
    below = np.searchsorted(np.sort(scores), THRESHOLDS, side='left')
    return (len(scores) - below).astype(np.float64)


def _figures(counts: NDArray[np.float64]) -> Confidence:
    """Divide counts (K, 3, T)."""
    right, detected, objects = np.moveaxis(counts, 1, 0)  # (K, T) each
    f1 = _share(2 * right, detected + objects)
    f1[objects == 0] = np.nan
    return Confidence(_share(right, detected).T, _share(right, objects).T, f1.T)


def _share(part: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, total, out=np.full(part.shape, np.nan), where=total > 0)
