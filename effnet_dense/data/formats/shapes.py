"""Shapes that annotation tools draw → COCO's boxes, polygons and run lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

Polygon = list[float]
Segmentation = list[Polygon] | dict[str, Any]
Box = tuple[float, float, float, float]

TOLERANCE = 0.02
"""Largest distance in pixels between a circle and the polygon that replaces it."""


MAX_PIXELS = 2**28
"""Largest image that may have a mask of pixels."""


def rectangle(x: float, y: float, width: float, height: float) -> Polygon:
    """Return a box's corners, x and y in turn."""
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def enclosing_box(polygons: Sequence[Polygon]) -> Box:
    """Return the smallest box (x, y, width, height) around polygons."""
    xs = [x for polygon in polygons for x in polygon[::2]]
    ys = [y for polygon in polygons for y in polygon[1::2]]
    left, top = min(xs), min(ys)
    return left, top, max(xs) - left, max(ys) - top


def ellipse(cx: float, cy: float, rx: float, ry: float, degrees: float = 0) -> Polygon:
    """Return a polygon for an ellipse; it is clockwise rotated, as y points down."""
    radius = max(rx, ry, 1.0)
    quarter = math.ceil(math.pi / math.acos(1 - TOLERANCE / radius) / 4)
    count = 4 * min(max(4, quarter), 256)  # with points at the ends of both axes
    angles = np.arange(count) * (2 * np.pi / count)
    points = np.stack([rx * np.cos(angles), ry * np.sin(angles)], axis=1)
    return _turned(points, cx, cy, degrees)


def rotated_box(x: float, y: float, width: float, height: float, degrees: float) -> Polygon:
    """Return the corners of a box that is rotated clockwise about its centre."""
    w, h = width / 2, height / 2
    points = np.array([[-w, -h], [w, -h], [w, h], [-w, h]])
    return _turned(points, x + w, y + h, degrees)


def _turned(points: NDArray[np.float64], cx: float, cy: float, degrees: float) -> Polygon:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (points @ np.array([[cos, sin], [-sin, cos]]) + (cx, cy)).ravel().tolist()


def paste(mask: NDArray[np.bool_], left: int, top: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Put a part of a mask into a mask of an image; what lies outside is cut off.

    Args:
        mask: (h, w).
        left: Column of the part's first pixel.
        top: Its row.
        size: The image's width and height.

    Returns:
        (H, W).
    """
    width, height = size
    image = np.zeros((height, width), dtype=bool)
    rows = slice(max(0, -top), max(0, min(mask.shape[0], height - top)))
    columns = slice(max(0, -left), max(0, min(mask.shape[1], width - left)))
    part = mask[rows, columns]
    y, x = top + rows.start, left + columns.start
    image[y : y + part.shape[0], x : x + part.shape[1]] = part
    return image


def rasterised(polygons: Sequence[Polygon], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask (H, W) of polygons in an image of a width and height.

    Raises:
        ValueError: The image is too large, or a point lies so far outside that pycocotools would
            need minutes and gigabytes.
    """
    check_size(size)
    margin = max(size)
    far = [value for polygon in polygons for value in polygon if abs(value) > 2 * margin]
    if far:
        raise ValueError(f'a polygon with the coordinate {far[0]:g}, in an image of {size}')
    runs = coco_mask.merge(coco_mask.frPyObjects(polygons, size[1], size[0]))
    return coco_mask.decode(runs).astype(bool)


def check_size(size: tuple[int, int]) -> None:
    """Raise ValueError if an image is too large for a mask of its pixels."""
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f'a mask in an image of {size[0]} × {size[1]} pixels')


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Encode a mask (H, W) as COCO's compressed run lengths."""
    runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {'size': [int(side) for side in runs['size']], 'counts': runs['counts'].decode('ascii')}


def mask_box(mask: NDArray[np.bool_]) -> Box:
    """Return the box around a mask's pixels; zeros for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return 0.0, 0.0, 0.0, 0.0
    x, y = float(columns[0]), float(rows[0])
    return x, y, float(columns[-1]) + 1 - x, float(rows[-1]) + 1 - y
