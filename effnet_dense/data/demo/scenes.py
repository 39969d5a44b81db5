"""Draw one image of the demo dataset: clutter, then shapes that partly occlude each other.

Shapes: H × W pixels of an image, colours are BGR in 0–255, an outline is (P, 2) as x, y.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

SIDES = (256, 384)
"""Smallest and largest height and width of an image."""

SIZES = (24.0, 160.0)
"""Smallest and largest diameter of a shape in pixels."""

VISIBLE = 0.5
"""Fraction of an object that other objects and the image's edge must leave visible."""

SUBPIXEL = 4
"""Fractional bits of the coordinates that OpenCV draws with."""


@dataclass
class Scene:
    """An image and its objects.

    Attributes:
        image: (H, W, 3) uint8.
        owner: (H, W) int32, the object visible at a pixel, −1 for none.
        labels: Index into `SHAPES` of each object.
    """

    image: np.ndarray
    owner: np.ndarray
    labels: list[int]

    def label_map(self) -> np.ndarray:
        """Compute the class of each pixel (H, W) uint8: 0 background, i + 1 for `SHAPES[i]`."""
        values = np.array([0, *(label + 1 for label in self.labels)], dtype=np.uint8)
        return values[self.owner + 1]


def _polygon(corners: int, start: float = 0.0) -> np.ndarray:
    angles = start + np.arange(corners) * (2 * np.pi / corners)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star() -> np.ndarray:
    return _polygon(10) * np.where(np.arange(10) % 2, 0.42, 1.0)[:, None]


def _cross(arm: float = 0.33) -> np.ndarray:
    corner = [(arm, 1), (arm, arm), (1, arm), (1, -arm), (arm, -arm), (arm, -1)]
    half = np.array(corner)
    return np.concatenate([half, -half]) / np.hypot(1, arm)


SHAPES: dict[str, list[np.ndarray]] = {
    'disc': [_polygon(60)],
    'square': [_polygon(4)],
    'triangle': [_polygon(3)],
    'star': [_star()],
    'ring': [_polygon(60), 0.55 * _polygon(60)],
    'cross': [_cross()],
}
"""Class → outlines within the unit circle; a second outline is a hole."""


def draw_scene(rng: Generator) -> Scene:
    """Draw up to eight shapes over clutter; the scene depends on the generator only."""
    height, width = rng.integers(SIDES[0], SIDES[1] + 1, size=2).tolist()
    image = _texture(rng, height, width, _colour(rng))
    _add_clutter(rng, image)
    owner = np.full((height, width), -1, dtype=np.int32)
    labels: list[int] = []
    areas: list[float] = []
    objects = int(rng.integers(2, 9))
    for _ in range(3 * objects):
        if len(labels) == objects:
            break
        label = int(rng.integers(len(SHAPES)))
        outlines = _place(rng, list(SHAPES.values())[label], height, width)
        coverage = _cover(outlines, height, width)
        area = _area(outlines)
        seen = _visible_areas(owner, coverage >= 0.5, len(labels))
        if (seen < VISIBLE * np.array([*areas, area])).any():
            continue
        _paint(rng, image, coverage)
        owner[coverage >= 0.5] = len(labels)
        labels.append(label)
        areas.append(area)
    return Scene(image=_photograph(rng, image), owner=owner, labels=labels)


def _place(rng: Generator, outlines: list[np.ndarray], height: int, width: int) -> list[np.ndarray]:
    """Scale, slant, rotate and move a unit shape; returns its outlines in pixels."""
    radius = 0.5 * np.exp(rng.uniform(*np.log(SIZES)))
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    angles = rng.uniform(0, 2 * np.pi, size=2)
    matrix = _rotation(angles[0]) @ np.diag([stretch, 1 / stretch]) @ _rotation(angles[1])
    centre = rng.uniform(0.05, 0.95, size=2) * (width, height)
    return [radius * outline @ matrix.T + centre for outline in outlines]


def _rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _cover(outlines: list[np.ndarray], height: int, width: int) -> np.ndarray:
    """Compute the covered fraction of each pixel (H, W), 0 to 1, without holes."""
    canvas = np.zeros((height, width), dtype=np.uint8)
    points = [np.round(outline * 2**SUBPIXEL).astype(np.int32) for outline in outlines]
    cv2.fillPoly(canvas, points, 255, lineType=cv2.LINE_AA, shift=SUBPIXEL)
    return canvas.astype(np.float32) / 255


def _area(outlines: list[np.ndarray]) -> float:
    """Compute the area within the first outline, without the holes."""
    first, *holes = (cv2.contourArea(outline.astype(np.float32)) for outline in outlines)
    return first - sum(holes)


def _visible_areas(owner: np.ndarray, new: np.ndarray, objects: int) -> np.ndarray:
    """Count the visible pixels of each object, with the new one on top as the last."""
    left = np.bincount(owner[~new & (owner >= 0)], minlength=objects)
    return np.append(left, new.sum())


def _colour(rng: Generator) -> np.ndarray:
    return rng.uniform(20, 235, size=3).astype(np.float32)


def _contrasting_colour(rng: Generator, other: np.ndarray) -> np.ndarray:
    """Draw a colour that differs from another, so that a shape stands out from its background."""
    while True:
        colour = _colour(rng)
        if np.linalg.norm(colour - other) > 70:
            return colour


def _texture(rng: Generator, height: int, width: int, colour: np.ndarray) -> np.ndarray:
    """Draw a gradient, stripes, checks or clouds around a colour: (H, W, 3) float32."""
    other = np.clip(colour + rng.normal(0, 40, size=3), 0, 255).astype(np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 30)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    kind = rng.integers(4)
    if kind == 0:
        mix = (along - along.min()) / max(float(np.ptp(along)), 1)
    elif kind == 1:
        mix = np.sin(along * (2 * np.pi / period)) > 0
    elif kind == 2:
        mix = np.sin(along * (2 * np.pi / period)) * np.sin(across * (2 * np.pi / period)) > 0
    else:
        coarse = rng.random((height // 16 + 2, width // 16 + 2), dtype=np.float32)
        mix = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return colour + mix[..., None].astype(np.float32) * (other - colour)


def _paint(rng: Generator, image: np.ndarray, coverage: np.ndarray) -> None:
    """Paint a textured shape over the image (H, W, 3), in place."""
    left, top, width, height = cv2.boundingRect((coverage > 0).astype(np.uint8))
    part = image[top : top + height, left : left + width]
    alpha = coverage[top : top + height, left : left + width, None]
    background = (part * alpha).sum((0, 1)) / max(float(alpha.sum()), 1)
    filled = _texture(rng, height, width, _contrasting_colour(rng, background))
    if rng.random() < 0.3:  # an edge of another colour, two pixels wide
        inner = cv2.erode(alpha, np.ones((5, 5)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        filled += (_colour(rng) - filled) * (1 - inner[..., None])
    part += alpha * (filled - part)


def _add_clutter(rng: Generator, image: np.ndarray) -> None:
    """Draw distractors over the background, in place: blobs, then strokes."""
    height, width = image.shape[:2]
    for _ in range(rng.integers(1, 5)):
        _paint(rng, image, _cover([_blob(rng, height, width)], height, width))
    for _ in range(rng.integers(8, 25)):
        steps = rng.normal(0, rng.uniform(5, 40), size=(rng.integers(2, 6), 2))
        points = rng.uniform(0, 1, size=2) * (width, height) + steps.cumsum(0)
        cv2.polylines(
            image,
            [np.round(points * 2**SUBPIXEL).astype(np.int32)],
            isClosed=False,
            color=_colour(rng).tolist(),
            thickness=int(rng.integers(1, 6)),
            lineType=cv2.LINE_AA,
            shift=SUBPIXEL,
        )


def _blob(rng: Generator, height: int, width: int) -> np.ndarray:
    """Draw a smooth lobed outline (P, 2) that resembles none of the classes."""
    angles = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    waves = np.arange(2, 5)  # five lobes would look like a star
    phases = rng.uniform(0, 2 * np.pi, size=3)
    bumps = rng.uniform(0.1, 0.35, size=3) * np.cos(angles[:, None] * waves + phases)
    radius = rng.uniform(12, 55) * np.clip(1 + bumps.sum(1), 0.15, None)
    centre = rng.uniform(0, 1, size=2) * (width, height)
    return centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _photograph(rng: Generator, image: np.ndarray) -> np.ndarray:
    """Add a camera's blur and noise: (H, W, 3) float32 → uint8."""
    blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(2, 12))
    return np.clip(blurred + noise, 0, 255).round().astype(np.uint8)
