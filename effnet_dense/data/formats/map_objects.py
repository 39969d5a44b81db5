"""Encode the objects of a map of instances: run lengths and boxes, in one pass over its pixels."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

MANY = 1000
"""Objects of an image that no map of instances has if they are tiny: it holds something else."""

MOST = 20_000
"""Objects of an image that none has."""

SMALL = 4
"""Pixels of a tiny object, on average."""


@dataclass(frozen=True)
class MapObject:
    """An object of a map.

    Attributes:
        value: Its pixels'.
        box: x, y, width and height.
        segmentation: COCO's compressed run lengths.
    """

    value: int
    box: list[float]
    segmentation: dict[str, Any]


def map_objects(values: NDArray[Any], wanted: Collection[int]) -> Iterator[MapObject]:
    """Yield the objects of a map, the smallest value first.

    Args:
        values: (H, W).
        wanted: The values that are objects.

    Raises:
        ValueError: There are too many for a map of instances.
    """
    height, width = values.shape
    flat = values.T.ravel()  # COCO's runs go along columns
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    order = np.argsort(flat[starts], kind='stable')
    found, first = np.unique(flat[starts[order]], return_index=True)
    kept = np.flatnonzero(np.isin(found, list(wanted)))
    _check_number(len(kept), flat.size)
    ends = np.append(first[1:], len(order))
    for i in kept:
        runs = order[first[i] : ends[i]]
        begin, end = starts[runs], starts[runs] + lengths[runs]
        yield MapObject(
            int(found[i]), _box(begin, end, height), _encoded(begin, end, height, width)
        )


def _check_number(objects: int, pixels: int) -> None:
    if objects > MOST or (objects > MANY and pixels < SMALL * objects):
        raise ValueError(
            f'it has {objects} objects in {pixels} pixels: expected a map of instances, is it a '
            'photo, or a map of depths?'
        )


def _box(begin: NDArray[Any], end: NDArray[Any], height: int) -> list[float]:
    """Return the box around runs, which may go on in the next column."""
    last = end - 1
    left, right = int(begin[0] // height), int(last[-1] // height)
    if (begin // height != last // height).any():
        top, bottom = 0, height - 1
    else:
        top, bottom = int((begin % height).min()), int((last % height).max())
    return [float(side) for side in (left, top, right + 1 - left, bottom + 1 - top)]


def _encoded(begin: NDArray[Any], end: NDArray[Any], height: int, width: int) -> dict[str, Any]:
    """Encode runs of an object's pixels; counts alternate, those of other pixels first."""
    counts = np.empty(2 * len(begin) + 1, dtype=np.int64)
    counts[0], counts[2:-1:2] = begin[0], begin[1:] - end[:-1]
    counts[1::2], counts[-1] = end - begin, height * width - end[-1]
    listed = counts[: len(counts) - (counts[-1] == 0)].tolist()
    size = [height, width]
    runs = coco_mask.frPyObjects({'size': size, 'counts': listed}, height, width)
    return {'size': size, 'counts': runs['counts'].decode('ascii')}
