"""Compare the outputs of a network with those of another precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def largest_difference(found: Sequence[Any], expected: Sequence[Any]) -> float:
    """Return the largest difference of two networks' outputs, relative to the largest value.

    Of whole numbers, such as label maps, the share that differs.
    """
    return max(_largest(a, b) for a, b in zip(found, expected, strict=True))


def mean_difference(found: Sequence[Any], expected: Sequence[Any]) -> float:
    """Return the root of the mean squared difference, relative to the outputs' own, averaged."""
    parts = [_relative(a, b) for a, b in zip(found, expected, strict=True)]
    return float(np.mean(parts))


def _largest(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if not np.issubdtype(expected.dtype, np.floating):
        return float(np.mean(found != expected))
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12))


def _relative(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if not np.issubdtype(expected.dtype, np.floating):
        return float(np.mean(found != expected))
    return float(np.sqrt(np.mean((found - expected) ** 2) / max(np.mean(expected**2), 1e-24)))
