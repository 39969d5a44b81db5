"""Detect objects in the tiles of a large image, as well as in the image as a whole.

A detector resizes images to the size it was trained with, in which the small objects of a large
image have few pixels. In a tile they keep their size; what is larger than a tile is found in the
whole image (slicing-aided inference, Akyon et al. 2022, arXiv:2202.06934).
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

from mmdet.models.detectors import BaseDetector

Window = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels."""


class Tiling(NamedTuple):
    """How images are cut.

    Attributes:
        side: Of a square tile in pixels.
        overlap: Of neighbouring tiles, as a share of the side. Objects up to this size are complete
            in one of them.
    """

    side: int
    overlap: float = 0.2

    def check(self) -> None:
        """Check the values.

        Raises:
            ValueError: One is impossible.
        """
        if not isinstance(self.side, Integral) or self.side < 32:
            raise ValueError(f'expected tiles of at least 32 whole pixels, got {self.side!r:.60}')
        if not isinstance(self.overlap, Real) or not 0 <= self.overlap <= 0.9:
            raise ValueError(f'expected an overlap from 0 to 0.9, got {self.overlap!r:.60}')

    def windows(self, height: int, width: int) -> list[Window]:
        """Return the tiles of an image, row by row; none if it is no larger than one."""
        if max(height, width) <= self.side:
            return []
        rows, columns = self._starts(height), self._starts(width)
        return [
            (x, y, min(x + self.side, width), min(y + self.side, height))
            for y in rows
            for x in columns
        ]

    def _starts(self, length: int) -> list[int]:
        """Return where tiles start along one side; the last one ends with the image."""
        last = length - self.side
        if last <= 0:
            return [0]
        step = max(1, round(self.side * (1 - self.overlap)))
        return [*range(0, last, step), last]


def check_tiling(tiling: Any) -> None:
    """Check what is given as a tiling.

    Raises:
        ValueError: It is none, or has impossible values.
    """
    if tiling is None:
        return
    if not isinstance(tiling, Tiling):
        raise ValueError(f'expected tiling such as Tiling(640, overlap=0.2), got {tiling!r:.60}')
    tiling.check()


def check_boxes(model: Any) -> None:
    """Check that a model finds boxes, and nothing else.

    Args:
        model: A model of mmdet or mmseg, or an `ExportedModel`.

    Raises:
        ValueError: It is of another kind.
    """
    session, head = getattr(model, 'session', None), getattr(model, 'bbox_head', None)
    if session is not None:
        boxes = session.metadata.task == 'detection'
    else:
        panoptic = hasattr(model, 'panoptic_fusion_head')
        masks = getattr(model, 'with_mask', False) or hasattr(head, 'mask_head') or panoptic
        boxes = isinstance(model, BaseDetector) and not masks
    if not boxes:
        raise ValueError(
            'tiles are for detectors of boxes, without masks; segmentors of mmseg have '
            f"test_cfg=dict(mode='slide', …) for large images; got {type(model).__name__}"
        )
