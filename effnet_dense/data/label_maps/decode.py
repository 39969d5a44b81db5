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
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from effnet_dense.data.image_files import NUMPY_START
from effnet_dense.data.label_maps.colours import colour_codes

NO_CLASS = 255
"""Value of pixels without a class in mmseg's `gt_seg_map`: its default `ignore_index`."""

MAX_VALUE = 65535
"""Largest value of a 16-bit file."""

LOSSY = ('AVIF', 'JPEG', 'JPEG2000', 'MPO', 'WEBP')
"""Formats, by Pillow's names, that may change individual values."""

LOSSY_TIFF = ('jpeg', 'tiff_jpeg', 'webp')
"""Compressions of TIFF files, by Pillow's names, that may change values too."""

COLOUR_MODES = ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA')
"""Pillow's modes of eight bits, which have colours."""

PNG_START = b'\x89PNG\r\n\x1a\n'
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
"""Exceptions that Pillow raises for damaged files and those that are not images."""

EXPECTED = 'expected one channel with a class index per pixel, or a palette image'


class ColouredError(ValueError):
    """Raised for a label map whose pixels are colours, not indices."""


def decode_label_map(content: bytes) -> np.ndarray:
    """Decode a label map file's bytes to its values (H, W), uint8 or uint16.

    Arrays of .npy files may have an axis of length 1 before or after the others.

    Palette images give indices, not colours, and greyscale ones the values that were written,
    for any number of bits. Colour images with three equal channels and no transparency count as
    greyscale: some programs save it that way.

    Raises:
        ValueError: Not an image, damaged, lossy, or without one class index per pixel.
    """
    if content.startswith(NUMPY_START):
        return _unsigned(_array(content), '.npy')
    values, mode = _pixels(content)
    bits, colour_type = _png_header(content)
    if values.ndim == 3:
        if bits == 16:  # Pillow keeps only the upper eight
            raise ValueError(f'{EXPECTED}, got 16-bit colours or transparency')
        values = _grey_channel(values, mode)
    if colour_type == 0 and bits in (2, 4):
        values = values // (255 // (2**bits - 1))  # Pillow spread them over 0–255
    return _unsigned(values, mode)


def decode_colours(content: bytes) -> NDArray[np.uint32]:
    """Decode a label map file's bytes to its colours (H, W), numbered by `colour_codes`.

    Palette images give the colours of their palette, greyscale ones three equal channels.

    Raises:
        ValueError: Not an image, damaged, lossy, or of more than eight bits a channel.
    """
    if content.startswith(NUMPY_START):
        pixels, mode = _colour_array(content), '.npy'
    else:
        pixels, mode = _pixels(content, colours=True)
    if pixels.dtype != np.uint8 or _png_header(content)[0] == 16:
        raise ValueError(f'expected colours of 8 bits, got {pixels.dtype} (Pillow mode {mode})')
    return colour_codes(pixels)


def is_palette(content: bytes) -> bool:
    """Whether an image file has a palette (PNG, GIF, BMP and TIFF may)."""
    if content.startswith(PNG_START):
        return _png_header(content)[1] == 3
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.mode == 'P'
    except (*DAMAGED, Image.DecompressionBombError):
        return False


def _load(content: bytes) -> NDArray[Any]:
    try:
        return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))
    except (*DAMAGED, MemoryError) as error:
        raise ValueError(f'an .npy file that cannot be read: {error}') from error


def _array(content: bytes) -> NDArray[Any]:
    """Load a NumPy array of values (H, W)."""
    values = _load(content)
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim == 3 and values.shape[2] in (3, 4) and values.dtype == np.uint8:
        raise ColouredError(f'{EXPECTED}, got an array of colours {values.shape}')
    if values.ndim != 2 or not values.size:
        raise ValueError(f'{EXPECTED}, got an array of the shape {values.shape}')
    return values


def _colour_array(content: bytes) -> NDArray[Any]:
    """Load a NumPy array of colours (H, W, C); values are shades of grey."""
    values = _load(content)
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    if values.ndim != 3 or values.shape[2] not in (3, 4) or not values.size:
        raise ValueError(f'expected colours (H, W, 3), got an array of the shape {values.shape}')
    return values


def _pixels(content: bytes, colours: bool = False) -> tuple[NDArray[Any], str]:
    """Decode a file to what it stores, or to 'RGB' or 'RGBA'; with Pillow's mode of the file."""
    if not content:
        raise ValueError('the file is empty')
    try:
        with Image.open(io.BytesIO(content)) as image:
            compressed = image.format == 'TIFF' and image.info.get('compression') in LOSSY_TIFF
            if image.format in LOSSY or compressed:
                kind = f'{image.format} with JPEG inside' if compressed else image.format
                raise ValueError(f'{kind} changes values, expected PNG')
            mode = image.mode
            if colours and mode in COLOUR_MODES:
                transparent = mode in ('LA', 'PA', 'RGBA') or 'transparency' in image.info
                return np.asarray(image.convert('RGBA' if transparent else 'RGB')), mode
            return np.asarray(image), mode
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


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
        raise ColouredError(f'{EXPECTED}, got an image of mode {mode} with {what}')
    return first


def _unsigned(values: np.ndarray, mode: str) -> np.ndarray:
    if values.dtype in (np.bool_, np.uint8):
        return values.astype(np.uint8)
    if values.dtype.kind not in 'iu' or values.min() < 0 or values.max() > MAX_VALUE:
        found = f'{values.min()} to {values.max()}'
        raise ValueError(f'{EXPECTED}, got {values.dtype} values from {found} ({mode})')
    return values.astype(np.uint16)
