"""Draw captions on images: black or white on coloured plates, inside the image, kept apart.

Shapes: N captions; images are RGB (H, W, 3) uint8; points and boxes are in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ImageArray = NDArray[np.uint8]
Colour = tuple[int, int, int]
Size = tuple[int, int]
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
PADDING = 1
SMALLEST = 8
"""Font size in pixels below which letters cannot be told apart."""


def draw_captions(
    image: ImageArray,
    anchors: NDArray[np.float64],
    texts: Sequence[str],
    colours: Sequence[Colour],
    text_colours: Sequence[Colour] | None = None,
    size: int | None = None,
) -> ImageArray:
    """Draw a caption at each anchor; if there is no room, later captions cover earlier ones.

    Args:
        image: (H, W, 3)
        anchors: (N, 4) as x1, y1, x2, y2: boxes, or points, which are boxes without area.
        texts: N captions.
        colours: N colours for the plates.
        text_colours: N colours for the texts; by default see `text_colour`.
        size: Font size in pixels; by default see `font_size`.

    Returns:
        (H, W, 3), a new image.
    """
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    full = size or font_size(*image.shape[:2])
    fitted = [fitting(text, full, image.shape[1]) for text in texts]
    texts = [text for text, _ in fitted]
    letters = font(min((each for _, each in fitted), default=full))
    height = sum(letters.getmetrics()) + 2 * PADDING
    margin = PADDING + max(2, round(letters.size / 7))
    sizes = [(round(draw.textlength(text, letters)) + 2 * margin, height) for text in texts]
    corners = place_captions(anchors, sizes, (image.shape[1], image.shape[0]))
    inks = text_colours or [text_colour(colour) for colour in colours]
    for (x, y), (width, _), text, colour, ink in zip(
        corners, sizes, texts, colours, inks, strict=True
    ):
        draw.rectangle([x, y, x + width - 1, y + height - 1], fill=tuple(colour))
        draw.text((x + margin, y + PADDING), text, fill=tuple(ink), font=letters)
    return np.asarray(canvas)


def place_captions(
    anchors: NDArray[np.float64], sizes: Sequence[Size], canvas: Size
) -> list[tuple[int, int]]:
    """Find each caption's upper left corner.

    A box's caption goes above its upper edge, below that edge, or below the box, first at the left,
    then at the right; a point's is centred on it, above it or below it. The first place that
    overlaps no other caption is taken, else the very first. Later captions are placed first.

    Args:
        anchors: (N, 4)
        sizes: N pairs (width, height).
        canvas: Width and height of the image; captions are shifted to fit into it.
    """
    corners: list[tuple[int, int]] = []
    taken = np.zeros((0, 4))
    for anchor, size in zip(anchors.tolist()[::-1], sizes[::-1], strict=True):
        low = np.array(_candidates(anchor, size)).round()
        low = np.clip(low, 0, np.maximum(np.array(canvas) - size, 0))
        plates = np.concatenate([low, low + size], 1)
        free = np.flatnonzero(~_overlap(plates, taken).any(1))
        chosen = plates[free[0] if len(free) else 0]
        taken = np.concatenate([taken, chosen[None]])
        corners.append((int(chosen[0]), int(chosen[1])))
    return corners[::-1]


def text_colour(background: Colour) -> Colour:
    """Return black or white, whichever has the higher contrast to a colour.

    Relative luminance L and contrast (L1 + 0.05) ÷ (L2 + 0.05) are those of WCAG 2.1: black has the
    higher contrast if (L + 0.05)² > 1.05 · 0.05.
    """
    share = np.array(background) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return BLACK if (luminance + 0.05) ** 2 > 1.05 * 0.05 else WHITE


def font_size(height: int, width: int) -> int:
    """Return the font size, in pixels, for an image: 1/50 of its longer side, 10 at least."""
    return max(10, round(max(height, width) / 50))


def line_width(height: int, width: int) -> int:
    """Return the width of outlines, in pixels: 1/320 of the image's longer side, 1 at least."""
    return max(1, round(max(height, width) / 320))


def fitting(text: str, size: int, width: int) -> tuple[str, int]:
    """Return a caption and its font size so that it is not wider than an image.

    First the font shrinks, to `SMALLEST` pixels; then letters before the score are left out.

    Args:
        text: The caption, such as 'traffic light 0.58'.
        size: Font size in pixels.
        width: Of the image, in pixels.
    """
    room = width - 2 * PADDING - 4
    while size > SMALLEST and font(size).getlength(text) > room:
        size -= 1
    name, space, score = text.rpartition(' ')
    if not score.replace('.', '', 1).isdecimal():
        name, space, score = text, '', ''
    shown = text
    while name and font(size).getlength(shown) > room:
        name = name[:-1]
        shown = f'{name.rstrip()}…{space}{score}' if name else score or '…'
    return shown, size


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans, which matplotlib ships."""
    return ImageFont.truetype(font_manager.findfont('DejaVu Sans'), size)


def _candidates(anchor: Sequence[float], size: Size) -> list[tuple[float, float]]:
    x1, y1, x2, y2 = anchor
    width, height = size
    if x1 == x2 and y1 == y2:
        x, y = x1 - width / 2, y1 - height / 2
        return [(x, y), (x, y - height), (x, y + height)]
    lines = (y1 - height, y1, y2)
    return [(x, y) for x in (x1, x2 - width) for y in lines]


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of the boxes (P, 4) and (Q, 4) share pixels: (P, Q)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    return np.all(high > low, axis=2)
