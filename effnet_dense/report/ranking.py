"""Choose the best and the worst images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COUNT = 6


def best_and_worst(
    scores: NDArray[np.float64], count: int = COUNT
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of the best images, best first, and of the worst, worst first.

    Args:
        scores: (M,); images with NaN are left out.
        count: Maximum number of each. No image is both among the best and the worst.
    """
    order = np.argsort(-scores, kind='stable')  # NaN come last
    order = order[~np.isnan(scores[order])]
    best = order[: min(count, (len(order) + 1) // 2)]
    return best, order[len(best) :][::-1][:count]
