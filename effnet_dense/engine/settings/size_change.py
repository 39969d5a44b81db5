"""Numbers of a config that follow the size of its images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Size = tuple[int, int]
"""Width, height in pixels."""

SAME_ASPECT = 0.02
"""Relative difference up to which two aspect ratios count as one: 1333 × 800 and 1000 × 600 do."""


@dataclass(frozen=True)
class SizeChange:
    """How sizes in pixels change when images of one size become images of another.

    Args:
        old: The size in the config.
        new: The size that replaces it.
        crops: Whether training crops images that are much larger than the crop, as in
            segmentation: then scales follow the shorter side of the crop.
    """

    old: Size
    new: Size
    crops: bool = False

    @property
    def factor(self) -> float:
        """Factor of lengths that belong to no axis, such as a shorter side."""
        if self.crops:
            return min(self.new) / min(self.old)
        return _extent(self.new) / _extent(self.old)

    def exact(self, size: Sequence[float]) -> Size:
        """Change the (width, height) of a crop, a padded image or a fixed shape, axis by axis."""
        return (
            _pixels(size[0] * self.new[0] / self.old[0]),
            _pixels(size[1] * self.new[1] / self.old[1]),
        )

    def fit(self, scale: Sequence[float]) -> Size:
        """Change the longest and shortest side within which images are resized, in any order.

        If the new size has another aspect ratio, a scale keeps its zoom, relative to the size, of
        an image of 4:3: (1333, 640) of (1333, 800) becomes (512, 512) of (640, 640).
        """
        if self.crops:
            return _pixels(scale[0] * self.factor), _pixels(scale[1] * self.factor)
        if sorted(scale) == sorted(self.old):
            return self.new
        if self._same_aspect():
            long, short = max(self.new) / max(self.old), min(self.new) / min(self.old)
            first_is_long = scale[0] >= scale[1]
            factors = (long, short) if first_is_long else (short, long)
            return _pixels(scale[0] * factors[0]), _pixels(scale[1] * factors[1])
        zoom = _extent(scale) / _extent(self.old)
        return _pixels(self.new[0] * zoom), _pixels(self.new[1] * zoom)

    def side(self, length: float) -> int:
        """Change a length that belongs to no axis."""
        return _pixels(length * self.factor)

    def height(self, length: float, multiple: int) -> int:
        """Change a height, to a multiple of some pixels."""
        steps = round(length * self.new[1] / self.old[1] / multiple)
        return max(steps, 1) * multiple

    def _same_aspect(self) -> bool:
        old, new = (max(size) / min(size) for size in (self.old, self.new))
        return abs(old / new - 1) < SAME_ASPECT


def _extent(scale: Sequence[float]) -> float:
    """Return a quarter of an image's longer side, if it is 4:3 and fits the scale."""
    return min(max(scale) / 4, min(scale) / 3)


def _pixels(length: float) -> int:
    """Round to pixels, at least one in the length's direction (borders are negative)."""
    if math.isinf(length):
        return length  # type: ignore[return-value]  # an unlimited side stays one
    return round(length) or (1 if length >= 0 else -1)
