"""Find masks that pycocotools cannot decode: it crashes, hangs, or returns something else.

Polygons and run lengths are validated in Python before its C code sees them, so that neither a
coordinate of 2e8 (minutes and gigabytes), nor NaN, nor runs beyond the mask's end (a write beyond
its memory) reach it. Polygons are not rasterised, and run lengths are decoded here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from effnet_dense.data.columns import polygon_extents

MAX_PIXELS = 2**31 - 1
"""Pixels of a mask, whose run lengths pycocotools adds up in 32 bits."""

MAX_PERIMETER = 4_000_000
"""Length in pixels of all outlines of a mask; five times as many points are made of it."""

MAX_CHUNKS = 7
"""Characters for one run length: 35 bits."""


LONG_OUTLINE = 100_000
"""Length in pixels of a mask's outlines up to which rasterising it takes no longer than 10 ms."""

CHUNK = 10_000
"""Masks that are examined at once."""

Size = tuple[object, object]
"""Width and height of an image, any JSON."""


class _MaskError(ValueError):
    """Raised for a mask that cannot be decoded, with the reason."""


def mask_fault(segmentation: object, width: object, height: object) -> str | None:
    """Return why pycocotools cannot decode a mask; None if it can.

    Args:
        segmentation: COCO's field, any JSON: polygons [[x1, y1, x2, y2, x3, y3, …], …], or run
            lengths {'size': [height, width], 'counts': [numbers] or str}.
        width: Of the image.
        height: Of the image.
    """
    try:
        size = _checked_size(width, height)
        if isinstance(segmentation, dict):
            _check_runs(segmentation, *size)
        else:
            _check_polygons(segmentation, *size)
    except _MaskError as error:
        return str(error)
    return None


def mask_faults(masks: Sequence[Any], sizes: Sequence[Size]) -> list[str | None]:
    """Return what `mask_fault` returns for K masks, much faster where most are plain polygons.

    Args:
        masks: COCO's fields.
        sizes: Width and height of their images.
    """
    return [
        None if plain else mask_fault(mask, *size)
        for plain, mask, size in zip(are_plain(masks, sizes), masks, sizes, strict=True)
    ]


def are_plain(masks: Sequence[Any], sizes: Sequence[Size]) -> list[bool]:
    """Whether each of K masks is one of polygons of which nothing has to be found out.

    Args:
        masks: COCO's fields.
        sizes: Width and height of their images.
    """
    chunks = [slice(start, start + CHUNK) for start in range(0, len(masks), CHUNK)]
    return [plain for chunk in chunks for plain in _plain(masks[chunk], sizes[chunk]).tolist()]


def _plain(masks: Sequence[Any], sizes: Sequence[Size]) -> NDArray[np.bool_]:
    extents, counts = polygon_extents(masks)
    known = [size if _is_size(*size) else (0, 0) for size in sizes]
    side = np.array(known, dtype=np.float64).reshape(-1, 2)
    margin = side.max(1, initial=0)
    plain = (margin > 0) & (1.5 * margin * counts <= MAX_PERIMETER)
    plain &= (extents[:, :2] >= -margin[:, None]).all(1)
    plain &= (extents[:, 2:] <= side + margin[:, None]).all(1)  # NaN is not
    return np.asarray(plain)


def _is_size(width: object, height: object) -> bool:
    """Whether a mask may have this size."""
    if type(width) is not int or type(height) is not int:
        return False
    return min(width, height) > 0 and width * height <= MAX_PIXELS


def _checked_size(width: object, height: object) -> tuple[int, int]:
    if type(width) is not int or type(height) is not int or min(width, height) < 1:
        raise _MaskError(f"its image's size is no two integers: {width!r:.20} × {height!r:.20}")
    if width * height > MAX_PIXELS:
        raise _MaskError(f'{width} × {height} pixels are more than {MAX_PIXELS}')
    return width, height


def _check_polygons(polygons: object, width: int, height: int) -> None:
    if not isinstance(polygons, list) or not polygons:
        raise _MaskError(f'expected polygons or run lengths, got {polygons!r:.40}')
    if not isinstance(polygons[0], list):
        raise _MaskError(f'expected a list of polygons, got a flat list {polygons!r:.40}')
    numbers = sum(len(polygon) for polygon in polygons if isinstance(polygon, list))
    if not all(_is_plain(polygon, width, height) for polygon in polygons):
        for polygon in polygons:
            _check_points(polygon, width, height)
    if 1.5 * max(width, height) * numbers <= MAX_PERIMETER:
        return  # nearly all
    perimeter = _perimeter(polygons)
    if perimeter > MAX_PERIMETER:
        raise _MaskError(f'outlines of {perimeter:.0f} pixels, more than {MAX_PERIMETER}')


def _is_plain(polygon: object, width: int, height: int) -> bool:
    """Whether a polygon is one without faults, so that nothing has to be found out about it."""
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        return False
    if not set(map(type, polygon)) <= {int, float}:
        return False
    try:
        finite = math.isfinite(sum(polygon))
    except OverflowError:
        return False
    xs, ys, margin = polygon[::2], polygon[1::2], max(width, height)
    return bool(
        finite
        and min(min(xs), min(ys)) >= -margin
        and max(xs) <= width + margin
        and max(ys) <= height + margin
    )


def _check_points(polygon: object, width: int, height: int) -> None:
    """Check a polygon's points: they are an image's longer side away from the image at most."""
    if not isinstance(polygon, list):
        raise _MaskError(f'expected a polygon, got {polygon!r:.40}')
    if len(polygon) < 6 or len(polygon) % 2:
        raise _MaskError(
            f'a polygon of {len(polygon)} numbers, expected x and y of three points or more'
        )
    if not set(map(type, polygon)) <= {int, float}:
        wrong = next(value for value in polygon if type(value) not in (int, float))
        raise _MaskError(f'a polygon with the coordinate {wrong!r:.40}')
    margin = max(width, height)
    try:
        points = np.array(polygon, dtype=np.float64).reshape(-1, 2)
    except OverflowError:
        raise _MaskError('a polygon with a coordinate of more than 300 digits') from None
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    if not (min(left, top) >= -margin and right <= width + margin and bottom <= height + margin):
        inside = (points >= -margin) & (points <= (width + margin, height + margin))
        raise _MaskError(
            f'a polygon with the coordinate {points[~inside][0]}, in an image of {width} × {height}'
        )


def _perimeter(polygons: Sequence[Sequence[float]]) -> float:
    """Add up the longer of each edge's extents, as pycocotools counts its points."""
    points = np.array(list(itertools.chain(*polygons)), dtype=np.float64).reshape(-1, 2)
    ends = np.cumsum([len(polygon) // 2 for polygon in polygons])
    before = np.arange(-1, len(points) - 1)
    before[[0, *ends[:-1]]] = ends - 1
    return float(np.abs(points - points[before]).max(axis=1).sum())


def _check_runs(runs: dict[Any, Any], width: int, height: int) -> None:
    size, counts = runs.get('size'), runs.get('counts')
    if not isinstance(size, list) or [type(side) for side in size] != [int, int]:
        raise _MaskError(f"expected 'size' as [height, width], got {size!r:.40}")
    if size != [height, width]:
        swapped = ' (swapped)' if size == [width, height] else ''
        raise _MaskError(f"'size' is {size!r:.40}, the image's [{height}, {width}]{swapped}")
    if isinstance(counts, str):
        lengths = _decoded(counts)
    elif isinstance(counts, list):
        lengths = _checked_counts(counts, width * height)
    else:
        raise _MaskError(f"expected 'counts' as a list or a string, got {counts!r:.40}")
    if lengths.size and (lengths.min() < 0 or lengths.max() > width * height):
        raise _MaskError(
            f'a run of {lengths[(lengths < 0) | (lengths > width * height)][0]} pixels'
        )
    total = int(lengths.sum())
    if total != width * height:
        raise _MaskError(f'runs of {total} pixels in all, expected {height} × {width}')


def _checked_counts(counts: Sequence[Any], most: int) -> NDArray[np.int64]:
    """Return uncompressed run lengths."""
    if not set(map(type, counts)) <= {int}:
        wrong = next(value for value in counts if type(value) is not int)
        raise _MaskError(f'a run length {wrong!r:.40}')
    if counts and (min(counts) < 0 or max(counts) > most):
        wrong = next(value for value in counts if not 0 <= value <= most)
        raise _MaskError(f'a run of {wrong!r:.40} pixels')
    return np.array(counts, dtype=np.int64)


def _decoded(text: str) -> NDArray[np.int64]:
    """Decode compressed run lengths as pycocotools does (`rleFrString` in maskApi.c).

    A number consists of characters of five bits, the lowest first, and a sixth that says whether
    another follows; its highest bit is the sign. From the fourth run on, a number is the
    difference to the run before the previous one.
    """
    try:
        chunks = np.frombuffer(text.encode('ascii'), dtype=np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        chunks = np.array([-1])
    if not chunks.size or chunks.min() < 0 or chunks.max() > 63:
        raise _MaskError(f'not compressed run lengths: {text!r:.40}')
    ends = np.flatnonzero(chunks < 32)
    if not ends.size or ends[-1] != chunks.size - 1:
        raise _MaskError(f'compressed run lengths that end early: …{text[-20:]!r}')
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > MAX_CHUNKS:
        raise _MaskError(f'a run length of {lengths.max()} characters, expected {MAX_CHUNKS}')
    position = np.arange(chunks.size) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((chunks & 31) << (5 * position), starts)
    numbers -= np.where(chunks[ends] & 16, np.int64(1) << (5 * lengths), 0)
    runs = numbers.copy()
    runs[1::2] = np.cumsum(numbers[1::2])
    runs[2::2] = np.cumsum(numbers[2::2])
    return runs


def is_long(segmentation: Any, width: int, height: int) -> bool:
    """Whether rasterising a mask without faults would take long: its outlines are that of a knot.

    A thousand masks of the longest permitted outlines would take minutes.
    """
    if not isinstance(segmentation, list):
        return False
    if 3 * max(width, height) * sum(map(len, segmentation)) / 2 <= LONG_OUTLINE:  # at most
        return False
    return _perimeter(segmentation) > LONG_OUTLINE


def to_runs(segmentation: Any, width: int, height: int) -> dict[str, Any]:
    """Rasterise a mask without faults (see `mask_fault`) to pycocotools' compressed run lengths."""
    if isinstance(segmentation, list):
        runs = coco_mask.frPyObjects(segmentation, height, width)
        runs = runs[0] if len(runs) == 1 else coco_mask.merge(runs)
    elif isinstance(segmentation['counts'], list):
        runs = coco_mask.frPyObjects(segmentation, height, width)
    else:
        runs = segmentation
    return runs
