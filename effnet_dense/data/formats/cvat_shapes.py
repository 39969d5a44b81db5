"""Shapes in CVAT's XML → boxes and masks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from effnet_dense.data.formats.shapes import (
    MAX_PIXELS,
    Box,
    Polygon,
    Segmentation,
    check_size,
    ellipse,
    enclosing_box,
    mask_box,
    paste,
    rasterised,
    rotated_box,
    run_lengths,
)

Size = tuple[int, int]


@dataclass(frozen=True)
class CvatShape:
    """A shape: a box, a polygon, or run lengths of a part of the image."""

    label: str
    group: str = ''
    box: Box | None = None
    polygon: Polygon | None = None
    runs: tuple[tuple[int, ...], int, int, int, int] | None = None


def read_shape(element: Element) -> CvatShape:
    """Read <box>, <polygon>, <mask> or <ellipse>.

    Raises:
        ValueError: An attribute is missing, or is no number.
    """
    label, group = element.get('label', ''), element.get('group_id', '')
    if not label:
        raise ValueError('it has no label')
    if element.tag == 'polygon':
        return CvatShape(label, group, polygon=_points(element.get('points', '')))
    if element.tag == 'mask':
        return CvatShape(label, group, runs=_runs(element))
    degrees = _number(element, 'rotation') if element.get('rotation') else 0.0
    if element.tag == 'ellipse':
        cx, cy, rx, ry = (_number(element, key) for key in ('cx', 'cy', 'rx', 'ry'))
        return CvatShape(label, group, polygon=ellipse(cx, cy, abs(rx), abs(ry), degrees))
    left, top, right, bottom = (_number(element, key) for key in ('xtl', 'ytl', 'xbr', 'ybr'))
    box = left, top, right - left, bottom - top
    if degrees % 360:
        return CvatShape(label, group, polygon=rotated_box(*box, degrees))
    return CvatShape(label, box=box)  # groups of boxes are objects that belong together


def merged(shapes: list[CvatShape], size: Size) -> tuple[Box, Segmentation | None]:
    """Return the box and the mask of an object, which has one shape or several.

    Raises:
        ValueError: Run lengths do not fill their box.
    """
    if shapes[0].box is not None:
        return shapes[0].box, None
    polygons = [shape.polygon for shape in shapes if shape.polygon is not None]
    if len(polygons) == len(shapes):
        return enclosing_box(polygons), polygons
    check_size(size)
    mask = np.logical_or.reduce([_pixels(shape, size) for shape in shapes])
    return mask_box(mask), run_lengths(mask)


def _pixels(shape: CvatShape, size: Size) -> NDArray[np.bool_]:
    """Rasterise a polygon or run lengths, shape (H, W)."""
    if shape.runs is None:
        return rasterised([shape.polygon or []], size)
    counts, left, top, width, height = shape.runs
    values = np.arange(len(counts)) % 2 == 1
    return paste(np.repeat(values, counts).reshape(height, width), left, top, size)


def _runs(element: Element) -> tuple[tuple[int, ...], int, int, int, int]:
    words = element.get('rle', '').split(',')
    if not all(word.strip().isdecimal() and len(word) < 12 for word in words):
        raise ValueError(f'expected run lengths as rle, got {element.get("rle", "")[:40]!r}')
    counts = tuple(map(int, words))
    left, top, width, height = (
        int(_number(element, key)) for key in ('left', 'top', 'width', 'height')
    )
    if sum(counts) != width * height or not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f'runs of {sum(counts)} pixels in all, expected {height} × {width}')
    return counts, left, top, width, height


def _points(text: str) -> Polygon:
    try:
        pairs = [tuple(map(float, pair.split(','))) for pair in text.split(';')]
    except ValueError:
        pairs = []
    if len(pairs) < 3 or any(len(pair) != 2 or not _plausible(*pair) for pair in pairs):
        raise ValueError(f'expected three points or more as x,y;x,y;…, got {text[:40]!r}')
    return [value for pair in pairs for value in pair]


def _plausible(*values: float) -> bool:
    return all(math.isfinite(value) and abs(value) < 1e9 for value in values)


def _number(element: Element, key: str) -> float:
    text = element.get(key, '')
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not _plausible(value):
        raise ValueError(f'expected a number as {key}, got {text[:20]!r}')
    return value
