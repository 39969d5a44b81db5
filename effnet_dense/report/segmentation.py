"""Evaluate segmented pixels, by class and by image.

Shapes: M images, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.evaluation.confusion import intersection_over_union, without_others


@dataclass
class Segments:
    """Results of one evaluation."""

    paths: NDArray[np.str_]  # (M,)
    scores: NDArray[np.float64]  # (M,), see `image_score`; NaN if all pixels are ignored
    matrix: NDArray[np.int64]  # (C, C), or (C, C + 1) with other classes; truth by prediction


def evaluate(results: Sequence[dict[str, Any]]) -> Segments:
    """Add up the results of a `SegmentationCollector`."""
    matrices = (result['matrix'].to_dense().numpy() for result in results)
    total = np.zeros(tuple(results[0]['matrix'].shape), dtype=np.int64)
    scores = []
    for matrix in matrices:
        total += matrix
        scores.append(image_score(matrix))
    paths = np.array([result['path'] for result in results], dtype=np.str_)
    return Segments(paths, np.array(scores), without_others(total))


def image_score(matrix: NDArray[np.int64]) -> float:
    """Return the mean IoU of the classes that occur in an image or were predicted in it."""
    iou = intersection_over_union(matrix)
    return float('nan') if np.isnan(iou).all() else float(np.nanmean(iou))


def accuracy(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share (C,) of each class's pixels that were predicted as it; NaN without any."""
    total = matrix.sum(1)
    share = np.full(len(total), np.nan)
    return np.divide(np.diag(matrix), total, out=share, where=total > 0)
