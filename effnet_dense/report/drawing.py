"""Predictions beside ground truth, as a picture for the page.

Pictures are RGB, (H, W, 3) uint8.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import mmcv
import numpy as np
from matplotlib import font_manager
from mmengine import fileio
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDES = (420, 640)
"""A panel's longer side: smaller pictures are enlarged so that names can be read."""

GAP = 8
RIGHT, WRONG, MISSED = (46, 184, 92), (235, 64, 52), (255, 159, 28)
Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]


def read_picture(path: str) -> Picture | None:
    """Read an image; None where it is gone or cannot be read."""
    try:
        picture = mmcv.imfrombytes(fileio.get(path), channel_order='rgb')
    except (OSError, ValueError, ImportError, KeyError):
        return None
    return picture


def panel_size(height: int, width: int) -> tuple[int, int]:
    """The height and width in which a picture is shown."""
    longer = max(height, width)
    side = min(max(longer, SIDES[0]), SIDES[1])
    return max(round(height * side / longer), 1), max(round(width * side / longer), 1)


def resize(picture: Picture, size: tuple[int, int]) -> Picture:
    """Bring a picture to a height and width."""
    shrinks = size[0] < picture.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=how), dtype=np.uint8)


def draw_boxes(
    picture: Picture,
    boxes: NDArray[np.float64],
    names: Sequence[str],
    colours: Sequence[Colour],
) -> Picture:
    """Draw boxes (N, 4), given in the picture's pixels, with their names."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    size = max(11, min(15, round(max(picture.shape[:2]) / 42)))
    for box, colour in zip(boxes.tolist(), colours, strict=True):
        draw.rectangle(box, outline=colour, width=2)
    # Names above all boxes.
    for box, name, colour in zip(boxes.tolist(), names, colours, strict=True):
        _draw_name(draw, box, name, colour, font(size))
    return np.asarray(image)


def draw_masks(picture: Picture, masks: Sequence[Picture], colours: Sequence[Colour]) -> Picture:
    """Tint the objects of masks (H, W) that have any size of their own."""
    drawn = picture.astype(np.float32)
    for mask, colour in zip(masks, colours, strict=True):
        inside = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
        drawn[inside] = 0.55 * drawn[inside] + 0.45 * np.array(colour, dtype=np.float32)
    return drawn.astype(np.uint8)


def draw_map(picture: Picture, label_map: Picture, palette: NDArray[np.uint8]) -> Picture:
    """Lay a label map's colours over a picture; what is no class stays as it is."""
    size = picture.shape[1::-1]
    labels = cv2.resize(label_map, size, interpolation=cv2.INTER_NEAREST).astype(np.int64)
    known = labels < len(palette)
    colours = palette[np.where(known, labels, 0)].astype(np.float32)
    mixed = (0.35 * picture + 0.65 * colours).astype(np.uint8)
    return np.where(known[..., None], mixed, picture).astype(np.uint8)


def draw_errors(picture: Picture, found: Picture, truth: Picture, classes: int) -> Picture:
    """A grey picture with the pixels of a wrong class in red."""
    pale = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) // 2 + 90
    grey = np.repeat(pale[..., None], 3, 2).astype(np.uint8)
    wrong = ((found != truth) & (truth < classes)).astype(np.uint8)
    inside = cv2.resize(wrong, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    grey[inside] = (0.25 * grey[inside] + 0.75 * np.array(WRONG)).astype(np.uint8)
    return grey


def side_by_side(panels: Sequence[Picture]) -> Picture:
    """Pictures of one height with a white gap between them."""
    gap = np.full((panels[0].shape[0], GAP, 3), 255, dtype=np.uint8)
    parts = [panels[0]]
    for panel in panels[1:]:
        parts += [gap, panel]
    return np.concatenate(parts, 1)


def write_jpeg(path: Path, picture: Picture, quality: int = 85) -> None:
    """Write a picture; a folder that is missing is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=quality)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """A font that every matplotlib brings along."""
    return ImageFont.truetype(font_manager.findfont('DejaVu Sans'), size)


def _draw_name(
    draw: ImageDraw.ImageDraw,
    box: Sequence[float],
    name: str,
    colour: Colour,
    letters: ImageFont.FreeTypeFont,
) -> None:
    """A label on the box's upper edge, within the picture."""
    left, top, right, bottom = draw.textbbox((0, 0), name, font=letters)
    width, height = right - left + 6, bottom - top + 6
    x = max(min(box[0], draw.im.size[0] - width), 0)
    y = max(box[1] - height, 0)
    draw.rectangle([x, y, x + width, y + height], fill=colour)
    draw.text((x + 3 - left, y + 3 - top), name, fill='white', font=letters)
