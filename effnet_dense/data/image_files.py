"""Image files: known suffixes, files below a folder, the size in a file's header."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from PIL import Image

IMAGE_SUFFIXES = frozenset(
    {'.bmp', '.jp2', '.jpe', '.jpeg', '.jpg', '.pbm', '.pgm', '.png', '.ppm'}
    | {'.tif', '.tiff', '.webp'}
)
"""Suffixes of formats that OpenCV reads."""

EXIF_ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""

UNREADABLE = (OSError, SyntaxError, ValueError)
"""Exceptions that Pillow raises for a header that it cannot read."""


def list_files(folder: Path) -> Iterator[PurePath]:
    """Yield files in a folder and its subfolders, relative to it, sorted, without hidden ones."""
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for name in sorted(files):
            if not name.startswith('.'):
                yield PurePath(place, name).relative_to(folder)


def image_size(path: str | Path) -> tuple[int, int] | None:
    """Read width and height as OpenCV loads the image: rotated by its EXIF orientation.

    Returns:
        Width and height; None if Pillow refuses the image only because of its size, since
        OpenCV may still load it.

    Raises:
        OSError, SyntaxError, ValueError: The header cannot be read.
    """
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(EXIF_ORIENTATION) in QUARTER_TURNS
            width, height = image.size
    except Image.DecompressionBombError:
        return None
    return (height, width) if turned else (width, height)


def size_name(width: int, height: int) -> str:
    """Format a size: '480 × 360'."""
    return f'{width} × {height}'
