"""The best and the worst images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COUNT = 6


def best_and_worst(
    scores: NDArray[np.float64], count: int = COUNT
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the best images, the best first, and of the worst, the worst first.

    Args:
        scores: (M,); images of NaN are left out.
        count: Of each at most. Of fewer than twice as many images none is shown twice.
    """
    order = np.argsort(-scores, kind='stable')  # NaN come last
    order = order[~np.isnan(scores[order])]
    best = order[: min(count, (len(order) + 1) // 2)]
    return best, order[len(best) :][::-1][:count]
