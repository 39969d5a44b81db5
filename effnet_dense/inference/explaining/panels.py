"""Draw a prediction beside the maps of its objects.

Shapes: images H × W, BGR as OpenCV writes them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from effnet_dense.data.bands import drawable
from effnet_dense.evaluation.captions import BLACK, WHITE, ImageArray, draw_captions, line_width
from effnet_dense.inference.explaining.explainer import Explanation

OPACITY = 0.7
"""Of the map's colours where it is highest."""
GAP = 4
"""Pixels between panels."""


def draw_heat(image: ImageArray, found: Explanation) -> ImageArray:
    """Draw a map over an image, with the outline and name of the object.

    Args:
        image: (H, W, C), BGR if C is 3.
        found: Its map is red where it is high, and clear where it is 0.

    Returns:
        (H, W, 3), BGR.
    """
    base = drawable(image)
    levels = (found.heat * 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)
    opacity = OPACITY * np.sqrt(found.heat)[..., None]
    drawn = ((1 - opacity) * base + opacity * colours).astype(np.uint8)
    width = line_width(*drawn.shape[:2])
    if found.mask is not None:
        outlines, _ = cv2.findContours(
            found.mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(drawn, outlines, -1, WHITE, width, cv2.LINE_AA)
    elif found.box is not None:
        x1, y1, x2, y2 = found.box.round().astype(int).tolist()
        cv2.rectangle(drawn, (x1, y1), (x2, y2), WHITE, width)
    corner = np.zeros((1, 4)) if found.box is None else found.box[None].astype(float)
    rgb = np.ascontiguousarray(drawn[..., ::-1])
    return np.ascontiguousarray(draw_captions(rgb, corner, [_caption(found)], [BLACK])[..., ::-1])


def _caption(found: Explanation) -> str:
    share = f'{found.score:.0%} of the image' if found.box is None else f'{found.score:.2f}'
    return f'{found.name} {share}'


def in_a_row(panels: Sequence[ImageArray]) -> ImageArray:
    """Arrange panels (H, W, 3) side by side."""
    return tiled(panels, len(panels))


def tiled(panels: Sequence[ImageArray], columns: int | None = None) -> ImageArray:
    """Arrange panels (H, W, 3) in rows; missing ones are white.

    Args:
        panels: At least one.
        columns: Panels in a row; None: about as many as rows.
    """
    columns = columns or math.ceil(math.sqrt(len(panels)))
    height, width = panels[0].shape[:2]
    framed = [
        cv2.copyMakeBorder(panel, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=WHITE)
        for panel in panels
    ]
    framed += [np.full_like(framed[0], 255)] * (-len(panels) % columns)
    starts = range(0, len(framed), columns)
    rows = [np.concatenate(framed[i : i + columns], 1) for i in starts]
    drawn: ImageArray = np.concatenate(rows).astype(np.uint8, copy=False)
    return drawn[: len(rows) * (height + GAP) - GAP, : columns * (width + GAP) - GAP]
