"""Read, scale, join and write the images of the page.

Images are RGB, (H, W, 3) uint8.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine import fileio
from PIL import Image

from effnet_dense.data.bands import decode_for_drawing
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.utils.outputs import new_output

SIDES = (420, 640)
"""Range of a panel's longer side: smaller images are enlarged so that captions are legible."""

GAP = 8
MEDIA = {'.png': 'image/png', '.jpg': 'image/jpeg'}


def read_rgb(path: str) -> ImageArray | None:
    """Read an image; None if it is missing or unreadable."""
    try:
        return decode_for_drawing(fileio.get(path))
    except (OSError, ValueError, ImportError, KeyError, cv2.error):
        return None


def panel_size(height: int, width: int) -> tuple[int, int]:
    """Return the height and width at which an image is shown."""
    longer = max(height, width)
    side = min(max(longer, SIDES[0]), SIDES[1])
    return max(round(height * side / longer), 1), max(round(width * side / longer), 1)


def resize(image: ImageArray, size: tuple[int, int]) -> ImageArray:
    """Scale an image to a height and width."""
    how = cv2.INTER_AREA if size[0] < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size[::-1], interpolation=how), dtype=np.uint8)


def font_size(panel: ImageArray, of: int = 2) -> int:
    """Return a panel's font size in pixels; the page shows `of` panels in a column."""
    return max(11, min(15, round(max(panel.shape[:2]) / 42))) * of // 2


def side_by_side(panels: Sequence[ImageArray]) -> ImageArray:
    """Join images of one height with white gaps between them."""
    gap = np.full((panels[0].shape[0], GAP, 3), 255, dtype=np.uint8)
    parts = [panels[0]]
    for panel in panels[1:]:
        parts += [gap, panel]
    return np.concatenate(parts, 1)


def write_jpeg(path: Path, image: ImageArray, quality: int = 85) -> None:
    """Write an image; missing folders are created."""
    with new_output(path, fsync=False) as partial:
        Image.fromarray(image).save(partial, quality=quality)


def data_uri(file: Path) -> str:
    """Return a PNG or JPEG file as a `data:` URI."""
    content = base64.b64encode(file.read_bytes()).decode()
    return f'data:{MEDIA[file.suffix]};base64,{content}'
