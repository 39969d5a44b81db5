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


def share_apart(found: Sequence[Any], expected: Sequence[Any], tolerance: float = 1e-3) -> float:
    """Return the share of values that differ by more than a share of the largest one.

    Of several outputs, that of the output in which it is largest; 1 if shapes differ.
    """
    return max(_apart(a, b, tolerance) for a, b in zip(found, expected, strict=True))


def mean_difference(found: Sequence[Any], expected: Sequence[Any]) -> float:
    """Return the root of the mean squared difference, relative to the outputs' own, averaged."""
    parts = [_relative(a, b) for a, b in zip(found, expected, strict=True)]
    return float(np.mean(parts))


def _largest(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if not np.issubdtype(expected.dtype, np.floating):
        return float(np.mean(found != expected))
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12))


def _apart(found: NDArray[Any], expected: NDArray[Any], tolerance: float) -> float:
    if found.shape != expected.shape:
        return 1.0
    limit = tolerance * max(float(np.abs(expected).max(initial=0)), 1e-12)
    if not np.issubdtype(expected.dtype, np.floating):
        limit = 0.0
    return float(np.mean(~(np.abs(found - expected) <= limit)))


def _relative(found: NDArray[Any], expected: NDArray[Any]) -> float:
    if not np.issubdtype(expected.dtype, np.floating):
        return float(np.mean(found != expected))
    return float(np.sqrt(np.mean((found - expected) ** 2) / max(np.mean(expected**2), 1e-24)))
