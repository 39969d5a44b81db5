"""Decode label maps: image files with a class index for every pixel.

Shapes: H × W pixels of an image.

mmseg's `LoadAnnotations` casts what Pillow reads to uint8: 256 in a 16-bit map becomes class 0, a
greyscale map of 2 or 4 bits is scaled to 0–255, and a colour map becomes an (H, W, 3) "map" that
fails later, elsewhere. Values outside the classes reach the loss, which raises on a CPU and aborts
the process on a GPU.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

NO_CLASS = 255
"""Value of pixels without a class in mmseg's `gt_seg_map`: its default `ignore_index`."""

MAX_VALUE = 65535
"""Largest value of a 16-bit file."""

LOSSY = ('AVIF', 'JPEG', 'JPEG2000', 'MPO', 'WEBP')
"""Formats, by Pillow's names, that may change individual values."""

PNG_START = b'\x89PNG\r\n\x1a\n'
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
"""Exceptions that Pillow raises for damaged files and those that are not images."""

EXPECTED = 'expected one channel with a class index per pixel, or a palette image'


def decode_label_map(content: bytes) -> np.ndarray:
    """Decode a label map file's bytes to its values (H, W), uint8 or uint16.

    Palette images give indices, not colours, and greyscale ones the values that were written,
    for any number of bits. Colour images with three equal channels and no transparency count as
    greyscale: some programs save it that way.

    Raises:
        ValueError: Not an image, damaged, lossy, or without one class index per pixel.
    """
    if not content:
        raise ValueError('the file is empty')
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.format in LOSSY:
                raise ValueError(f'{image.format} changes values, expected PNG')
            values = np.asarray(image)
            mode = image.mode
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    bits, colour_type = _png_header(content)
    if values.ndim == 3:
        if bits == 16:  # Pillow keeps only the upper eight
            raise ValueError(f'{EXPECTED}, got 16-bit colours or transparency')
        values = _grey_channel(values, mode)
    if colour_type == 0 and bits in (2, 4):
        values = values // (255 // (2**bits - 1))  # Pillow spread them over 0–255
    return _unsigned(values, mode)


def _png_header(content: bytes) -> tuple[int, int]:
    """Read bits per channel and colour type (PNG specification, 11.2.1): 0 is greyscale."""
    return (content[24], content[25]) if content.startswith(PNG_START) else (8, -1)


def _grey_channel(values: np.ndarray, mode: str) -> np.ndarray:
    """Return the channel that (H, W, C) repeats, ignoring an opaque alpha channel."""
    opaque = True
    if mode in ('LA', 'RGBA'):
        opaque = bool((values[..., -1] == 255).all())
        values = values[..., :-1]
    first = values[..., 0]
    if mode not in ('LA', 'RGB', 'RGBA') or not (opaque and (values == first[..., None]).all()):
        what = 'transparency' if mode == 'LA' or not opaque else 'colours'
        raise ValueError(f'{EXPECTED}, got an image of mode {mode} with {what}')
    return first


def _unsigned(values: np.ndarray, mode: str) -> np.ndarray:
    if values.dtype in (np.bool_, np.uint8):
        return values.astype(np.uint8)
    if values.dtype.kind not in 'iu' or values.min() < 0 or values.max() > MAX_VALUE:
        found = f'{values.min()} to {values.max()}'
        raise ValueError(f'{EXPECTED}, got values from {found} (Pillow mode {mode})')
    return values.astype(np.uint16)
