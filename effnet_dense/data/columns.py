"""Test a field of many records at once: of a million annotations, each call of a function counts.

What these functions do not accept is examined record by record, so that they need not say why.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMIT = 1e9
"""Numbers must be smaller in magnitude, which also excludes infinity and NaN."""

Floats = NDArray[np.float64]


def have_types(values: Iterable[Any], *types: type) -> bool:
    """Whether all values have one of these types, not one derived from it such as bool."""
    return set(map(type, values)) <= set(types)


def are_integers(values: Sequence[Any]) -> bool:
    """Whether all values are integers."""
    return have_types(values, int)


def are_flags(values: Sequence[Any]) -> bool:
    """Whether all values are 0, 1, False or True."""
    return have_types(values, int, bool) and set(values) <= {0, 1}


def as_numbers(values: Sequence[Any]) -> Floats | None:
    """Return numbers as an array (K,); None if a value is no finite number below the limit."""
    if not have_types(values, int, float):
        return None
    try:
        array = np.fromiter(values, np.float64, len(values))
    except OverflowError:
        return None
    return array if bool((np.abs(array) < LIMIT).all()) else None


def as_boxes(values: Sequence[Any]) -> Floats | None:
    """Return boxes as an array (K, 4); None if a value is no list of four numbers."""
    if not have_types(values, list) or not set(map(len, values)) <= {4}:
        return None
    numbers = as_numbers(list(itertools.chain.from_iterable(values)))
    return None if numbers is None else numbers.reshape(-1, 4)


def stack_boxes(records: Iterable[dict[str, Any]]) -> Floats:
    """Return the boxes of annotations (K, 4) that have been found to be four numbers each."""
    chained = itertools.chain.from_iterable(record['bbox'] for record in records)
    return np.fromiter(chained, np.float64).reshape(-1, 4)


def polygon_extents(masks: Sequence[Any]) -> tuple[Floats, NDArray[np.int64]]:
    """Find the extents of masks that are lists of polygons of finite numbers.

    Args:
        masks: COCO's 'segmentation' of K annotations, any JSON.

    Returns:
        The smallest x and y and the largest x and y (K, 4), NaN for any other mask; and how many
        coordinates each has (K,), 0 for any other mask.
    """
    extents = np.full((len(masks), 4), np.nan)
    counts = np.zeros(len(masks), dtype=np.int64)
    chosen = [i for i, mask in enumerate(masks) if type(mask) is list and _are_pairs(mask)]
    polygons = [polygon for i in chosen for polygon in masks[i]]
    if not chosen or not have_types(itertools.chain.from_iterable(polygons), int, float):
        return extents, counts
    lengths = np.fromiter(map(len, polygons), np.int64, len(polygons))
    try:
        numbers = itertools.chain.from_iterable(polygons)
        points = np.fromiter(numbers, np.float64, lengths.sum()).reshape(-1, 2)
    except OverflowError:  # an integer of more than 300 digits
        return extents, counts
    several = np.fromiter((len(masks[i]) for i in chosen), np.int64, len(chosen))
    first = np.cumsum(several) - several
    counts[chosen] = np.add.reduceat(lengths, first)
    starts = (np.cumsum(lengths) - lengths)[first] // 2
    points[~np.isfinite(points).all(1)] = np.nan
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    extents[chosen] = np.concatenate([low, high], axis=1)
    counts[np.isnan(extents).any(1)] = 0
    return extents, counts


def _are_pairs(mask: list[Any]) -> bool:
    """Whether a mask has polygons, each of three points or more."""
    for polygon in mask:
        if type(polygon) is not list or len(polygon) < 6 or len(polygon) % 2:
            return False
    return bool(mask)
