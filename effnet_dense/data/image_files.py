"""Image files: known suffixes, files below a folder, the size in a file's header."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from effnet_dense.data.bombs import refuse_bomb
from effnet_dense.data.heif import HEAD, enable_heif, is_heif
from effnet_dense.data.image_headers import SAMPLES, TIFF_STARTS, tiff_tags
from effnet_dense.utils.regular_files import open_regular

IMAGE_SUFFIXES = frozenset(
    {'.avif', '.bmp', '.dib', '.heic', '.heif', '.jfif', '.jp2', '.jpe', '.jpeg', '.jpg'}
    | {'.pbm', '.pgm', '.png', '.pnm', '.ppm', '.tif', '.tiff', '.webp'}
)
"""Suffixes of formats that OpenCV reads, and of HEIC, which pillow-heif reads."""

EXIF_ORIENTATION = 0x0112
TIFF_SIDES = (256, 257)
NUMPY_START = b'\x93NUMPY'
QUARTER_TURNS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height."""

OTHER_TURNS = (2, 3, 4)
"""EXIF orientations that mirror an image or turn it by 180°: its size does not show it."""

UNREADABLE: tuple[type[Exception], ...] = (
    *(ArithmeticError, EOFError, LookupError, MemoryError, OSError, SyntaxError, TypeError),
    *(ValueError, struct.error, zlib.error),
)
"""Exceptions that Pillow raises for a header that it cannot read."""

REFUSED: tuple[type[Exception], ...] = (*UNREADABLE, Image.DecompressionBombError)
"""Those, and the one for an image that is too large for Pillow."""


def list_files(
    folder: Path, on_error: Callable[[OSError], None] | None = None
) -> Iterator[PurePath]:
    """Yield files in a folder and its subfolders, relative to it, sorted, without hidden ones.

    Pipes, devices, links to nothing and empty folders, which may be called like images, are
    yielded too: whoever reads them finds out.

    Args:
        folder: Links to folders are followed, except to one that they lie in.
        on_error: Is given the error of each folder that cannot be listed.
    """
    for place, folders, files in os.walk(folder, onerror=on_error, followlinks=True):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith('.') and not _leads_back(place, os.path.join(place, name))
        )
        if not folders and not files and place != os.fspath(folder):
            yield PurePath(place).relative_to(folder)
        for name in sorted(files):
            if not name.startswith('.'):
                yield PurePath(place, name).relative_to(folder)


def _leads_back(place: str, folder: str) -> bool:
    """Whether a folder is a link to one that it lies in, whose files would be found again."""
    if not os.path.islink(folder):
        return False
    around = Path(os.path.realpath(place))
    return Path(os.path.realpath(folder)) in (around, *around.parents)


def image_size(path: str | Path, upright: bool = True) -> tuple[int, int] | None:
    """Read width and height as `LoadImageFromFile` loads the image, without its pixels.

    Args:
        path: The file.
        upright: Rotated by its EXIF orientation; TIFF files always are.

    Returns:
        Width and height; None if Pillow refuses the image only because of its size, since
        OpenCV may still load it.

    Raises:
        OSError, SyntaxError, ValueError: The header cannot be read, the file is a pipe, a device
            or the like, or a decompression bomb.
    """
    with open_regular(path) as file:
        if is_heif(file.read(HEAD)):
            enable_heif()
        file.seek(0)
        try:
            with Image.open(file) as image:
                return _upright_size(image, upright)
        except Image.DecompressionBombError:
            file.seek(0)
            refuse_bomb(file.read())
            return None
        except UnidentifiedImageError:
            size = _decoded_size(path)
            if size is None:
                raise
            return size


def exif_orientation(path: str | Path) -> int:
    """Read how an image is turned or mirrored when it is loaded: EXIF's number, 1 if it is not."""
    try:
        with open_regular(path) as file, Image.open(file) as image:
            found = image.getexif().get(EXIF_ORIENTATION, 1)
    except REFUSED:
        return 1
    return found if found in range(1, 9) else 1


def _decoded_size(path: str | Path) -> tuple[int, int] | None:
    """Read the size of a file that Pillow does not know: TIFF of many bands, .npy, or decode it."""
    file = Path(path).read_bytes()
    if file.startswith(NUMPY_START):
        shape = np.load(path, mmap_mode='r', allow_pickle=False).shape
        bands_first = len(shape) == 3 and shape[0] < min(shape[1:])
        return (shape[2], shape[1]) if bands_first else (shape[1], shape[0])
    try:
        tags = tiff_tags(file) if file.startswith(TIFF_STARTS) else {}
    except (struct.error, IndexError):
        tags = {}
    if set(TIFF_SIDES) <= tags.keys() and tags.get(SAMPLES, 1) > 4:
        width, height = (tags[tag] for tag in TIFF_SIDES)
        return (height, width) if tags.get(EXIF_ORIENTATION) in QUARTER_TURNS else (width, height)
    content = np.frombuffer(file, np.uint8)
    try:
        image = cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:  # an empty file
        return None
    return None if image is None else (image.shape[1], image.shape[0])


def _upright_size(image: Image.Image, upright: bool) -> tuple[int, int]:
    width, height = image.size
    turned = image.getexif().get(EXIF_ORIENTATION) in QUARTER_TURNS
    if image.format == 'TIFF':  # some versions of Pillow swap a TIFF image's sides, others do not
        width, height = (image.tag_v2[tag] for tag in TIFF_SIDES)  # type: ignore[attr-defined]
    elif not upright:
        turned = False
    return (height, width) if turned else (width, height)


def size_name(width: int, height: int) -> str:
    """Format a size: '480 × 360'."""
    return f'{width} × {height}'
