"""Read YOLO's label files: a line for each object, numbers as shares of the image's sides.

    class x y width height                  a box, by its centre
    class x y width height confidence       a predicted box; the confidence is ignored
    class x1 y1 x2 y2 x3 y3 …               a polygon
    class x y width height kpt1 kpt2 …      a box with keypoints, if data.yaml has kpt_shape

Sources: https://docs.ultralytics.com/datasets/detect/, …/segment/, …/pose/, …/obb/.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from effnet_dense.data.formats.shapes import Box, Polygon, enclosing_box
from effnet_dense.data.formats.text import read_text

BOX = 5
"""Columns of a box."""
ORIENTED = 9
"""Columns of an oriented box, and of a polygon of four points."""
LARGEST = 2.0
"""Coordinates beyond it are no shares of an image's sides but pixels."""


@dataclass(frozen=True)
class YoloLine:
    """An object: class index, number of columns, its box or polygon in pixels."""

    index: int
    columns: int
    box: Box
    polygon: Polygon | None


def read_labels(
    path: Path, size: tuple[int, int], classes: Collection[int] | None, keypoints: int
) -> list[YoloLine]:
    """Read a label file.

    Args:
        path: The file.
        size: The image's width and height.
        classes: Valid class indices; None if all are.
        keypoints: Numbers for keypoints after each box, 0 for none.

    Raises:
        ValueError: A line is faulty; the message names file and line.
    """
    objects = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            objects.append(_parse(words, size, classes, keypoints))
        except ValueError as error:
            raise ValueError(f'{path}, line {number}: {error}') from None
    return objects


def _parse(
    words: list[str], size: tuple[int, int], classes: Collection[int] | None, keypoints: int
) -> YoloLine:
    index, values = _index(words[0], classes), _numbers(words[1:])
    count = len(words)
    if count < BOX:
        raise ValueError(f'expected a class and four numbers or more, got {count} columns')
    if count in (BOX, BOX + 1) or (keypoints and count == BOX + keypoints):
        return YoloLine(index, count, _box(values[:4], size), None)
    if len(values) % 2:
        raise ValueError(f'expected a class and x and y of each point, got {count} columns')
    _check_shares(values)
    width, height = size
    polygon = [value * (height if i % 2 else width) for i, value in enumerate(values)]
    return YoloLine(index, count, enclosing_box([polygon]), polygon)


def _index(word: str, classes: Collection[int] | None) -> int:
    """Read a class index, which numpy.savetxt writes as 1.000e+00."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not value.is_integer() or value < 0:  # NaN and infinity are no integers
        raise ValueError(f'expected a class index, got {word[:20]!r}')
    if classes is not None and int(value) not in classes:
        raise ValueError(f'class {int(value)} is none of the {len(classes)} named classes')
    return int(value)


def _numbers(words: list[str]) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = [math.nan]
    if not all(map(math.isfinite, values)):
        wrong = next(word for word in words if not _is_finite(word))
        raise ValueError(f'expected numbers, got {wrong[:20]!r}')
    return values


def _is_finite(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _box(values: list[float], size: tuple[int, int]) -> Box:
    _check_shares(values)
    (x, y, w, h), (width, height) = values, size
    return (x - w / 2) * width, (y - h / 2) * height, w * width, h * height


def _check_shares(values: list[float]) -> None:
    wrong = next((value for value in values if abs(value) > LARGEST), None)
    if wrong is not None:
        raise ValueError(f'expected shares of the image’s sides from 0 to 1, got {wrong:g}')
