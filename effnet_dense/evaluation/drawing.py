"""Draw boxes, masks and label maps on images, for the report, inference and visualizers.

Shapes: N objects, C classes; images are RGB (H, W, 3) uint8, boxes x1, y1, x2, y2 in pixels, masks
and label maps (h, w) of any size, which is scaled to the image's. Nothing is drawn in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from effnet_dense.evaluation.captions import WHITE, Colour, ImageArray, draw_captions

Mask = NDArray[Any]  # (h, w), bool or uint8
RED = (235, 64, 52)


def draw_boxes(
    image: ImageArray,
    boxes: NDArray[np.float64],
    texts: Sequence[str],
    colours: Sequence[Colour],
    line_width: int = 2,
    text_colours: Sequence[Colour] | None = None,
    font_size: int | None = None,
) -> ImageArray:
    """Draw boxes (N, 4), then captions on top of all boxes; later boxes cover earlier ones.

    Args:
        image: (H, W, 3)
        boxes: (N, 4)
        texts: N captions.
        colours: N colours.
        line_width: Width of the outlines in pixels.
        text_colours: N colours for the captions; by default black or white.
        font_size: Font size in pixels; by default it depends on the image's size.
    """
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    for (x1, y1, x2, y2), colour in zip(boxes.tolist(), colours, strict=True):
        corners = [x1, y1, max(x1, x2), max(y1, y2)]
        draw.rectangle(corners, outline=tuple(colour), width=line_width)
    return draw_captions(np.asarray(canvas), boxes, texts, colours, text_colours, font_size)


def draw_masks(
    image: ImageArray, masks: Sequence[Mask], colours: Sequence[Colour], opacity: float = 0.45
) -> ImageArray:
    """Tint the pixels of N masks and outline them in white; later masks cover earlier ones."""
    drawn = image.copy()
    width = max(1, round(max(image.shape[:2]) / 400))
    scaled = [_scaled(mask, image) for mask in masks]
    for mask, colour in zip(scaled, colours, strict=True):
        inside = mask > 0
        drawn[inside] = _mixed(image[inside], colour, opacity)
    for mask in scaled:
        contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, contours, -1, WHITE, width, cv2.LINE_AA)
    return drawn


def draw_segments(
    image: ImageArray,
    masks: Sequence[Mask],
    texts: Sequence[str],
    colours: Sequence[Colour],
    opacity: float = 0.45,
    text_colours: Sequence[Colour] | None = None,
) -> ImageArray:
    """Draw N masks with captions inside them; empty masks are left out."""
    inside = [index for index, mask in enumerate(masks) if np.any(mask)]
    kept = [_scaled(masks[index], image) for index in inside]
    drawn = draw_masks(image, kept, [colours[index] for index in inside], opacity)
    return draw_captions(
        drawn,
        _points(kept),
        [texts[index] for index in inside],
        [colours[index] for index in inside],
        [text_colours[index] for index in inside] if text_colours else None,
    )


def draw_label_map(
    image: ImageArray,
    label_map: NDArray[Any],
    palette: NDArray[np.uint8],
    names: Sequence[str] | None = None,
    opacity: float = 0.65,
    font_size: int | None = None,
) -> ImageArray:
    """Overlay a label map's colours on an image; labels from C on are no class, not coloured.

    Args:
        image: (H, W, 3)
        label_map: (h, w)
        palette: (C, 3)
        names: C names; each is written once, deep inside its class's pixels.
        opacity: Opacity of the colours.
        font_size: Font size in pixels; by default it depends on the image's size.
    """
    labels = _scaled(label_map, image).astype(np.int64)
    known = labels < len(palette)
    mixed = _mixed(image, palette[np.where(known, labels, 0)], opacity)
    drawn = np.where(known[..., None], mixed, image)
    if names is None:
        return drawn
    present = np.unique(labels[known]).tolist()
    points = _points([(labels == label).astype(np.uint8) for label in present])
    colours = [as_colour(palette[label]) for label in present]
    texts = [names[label] for label in present]
    return draw_captions(drawn, points, texts, colours, size=font_size)


def draw_wrong_pixels(
    image: ImageArray, prediction: NDArray[Any], truth: NDArray[Any], classes: int
) -> ImageArray:
    """Draw wrongly classified pixels in red on a pale grey image.

    Args:
        image: (H, W, 3)
        prediction: (h, w)
        truth: (h, w); labels from `classes` on are ignored.
        classes: C
    """
    pale = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) // 2 + 90
    drawn = np.repeat(pale[..., None], 3, 2).astype(np.uint8)
    wrong = _scaled((prediction != truth) & (truth < classes), image) > 0
    drawn[wrong] = _mixed(drawn[wrong], RED, 0.75)
    return drawn


def deepest_point(mask: Mask) -> tuple[int, int]:
    """Return a pixel (x, y) deep inside a mask, where its centroid may not be.

    Of the pixels that are almost as far from the edge as possible, it is the most central one.
    """
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    part = np.pad(mask[y : y + height, x : x + width].astype(np.uint8), 1)
    depth = cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_3)
    deep = np.argwhere(depth >= 0.9 * depth.max())
    row, column = deep[np.square(deep - deep.mean(0)).sum(1).argmin()].tolist()
    return x + column - 1, y + row - 1


def _points(masks: Sequence[Mask]) -> NDArray[np.float64]:
    """Return anchors (N, 4) for captions inside masks."""
    points = np.array([deepest_point(mask) for mask in masks], dtype=np.float64).reshape(-1, 2)
    return np.concatenate([points, points], 1)


def _scaled(mask: Mask, image: ImageArray) -> Mask:
    """Scale a mask or a label map to an image's size; bool masks become uint8."""
    values = mask.astype(np.uint8) if mask.dtype == bool else mask
    if values.shape == image.shape[:2]:
        return values
    return cv2.resize(values, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def _mixed(pixels: ImageArray, colour: Any, opacity: float) -> ImageArray:
    mixed = (1 - opacity) * pixels + opacity * np.asarray(colour, dtype=np.float32)
    return mixed.astype(np.uint8)


def as_colour(values: Any) -> Colour:
    """Convert three numbers from 0 to 255 to a colour."""
    red, green, blue = (int(value) for value in values)
    return red, green, blue
