"""Decode images of any number of bands, such as near infrared beside red, green and blue.

Bands keep the order of the file: a TIFF or PNG file's (red, green, blue, …), or an array's.
"""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from effnet_dense.data import decoding
from effnet_dense.data.decoding import decode, orientation_of, stretched, turn
from effnet_dense.data.image_files import NUMPY_START
from effnet_dense.data.image_headers import TIFF_STARTS, read_header
from effnet_dense.data.image_values import Raw


def decode_bands(content: bytes, channels: int) -> Raw:
    """Decode a file's bytes to a given number of bands.

    Args:
        content: A TIFF, PNG or other image file, or NumPy's .npy with (H, W, C) or (C, H, W).
        channels: Number of bands. For one, colours become grey.

    Returns:
        Values (H, W) for one band, else (H, W, channels), upright.

    Raises:
        ValueError: The file has another number of bands, or cannot be decoded.
    """
    if channels == 1 and not content.startswith(NUMPY_START) and read_header(content).count < 5:
        return decode(content, 'grayscale')
    values = all_bands(content, channels)
    count = values.shape[2] if values.ndim == 3 else 1
    if count != channels:
        raise ValueError(f'expected {channels} bands, got {count}')
    return Raw(values[..., 0] if channels == 1 and values.ndim == 3 else values)


def all_bands(content: bytes, channels: int = 0) -> NDArray[Any]:
    """Decode all bands of a file: values (H, W) or (H, W, C), upright.

    Args:
        content: See `decode_bands`.
        channels: The expected number, by which an array (C, H, W) is recognised.

    Raises:
        ValueError: The file cannot be decoded.
    """
    if content.startswith(NUMPY_START):
        return _last(np.load(io.BytesIO(content), allow_pickle=False), channels)
    if content.startswith(TIFF_STARTS):
        values = _tiff(content)
    else:
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        if decoded is None:
            raise ValueError(f'{len(content)} bytes that cv2 cannot decode')
        values = _file_order(decoded)
    return turn(values, orientation_of(content))


def _tiff(content: bytes) -> NDArray[Any]:
    """Decode a TIFF file; each band may be a plane or a page of its own."""
    try:
        import tifffile
    except ImportError:
        values: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        if values is None:
            raise ValueError(
                f'a TIFF file of {read_header(content).count} bands, which OpenCV cannot decode: '
                'pip install tifffile'
            ) from None
        return _file_order(values)
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            series = file.series[0]
            values, axes = series.asarray(), series.axes
    except Exception as error:  # tifffile's own, and those of its codecs
        raise ValueError(f'tifffile cannot decode it: {error}') from error
    if not {'Y', 'X'} <= set(axes) or values.ndim not in (2, 3):
        raise ValueError(f'expected an image of rows, columns and bands, got axes {axes}')
    place = [axes.index(name) for name in 'YX']
    return np.ascontiguousarray(np.moveaxis(values, place, (0, 1)))


def _file_order(values: NDArray[Any]) -> NDArray[Any]:
    """Return OpenCV's BGR or BGRA as RGB or RGBA."""
    if values.ndim == 3 and values.shape[2] in (3, 4):
        return np.ascontiguousarray(values[..., [2, 1, 0, 3][: values.shape[2]]])
    return values


def _last(values: NDArray[Any], channels: int) -> NDArray[Any]:
    """Move the bands of an array to the end."""
    if values.ndim not in (2, 3):
        raise ValueError(f'expected an array of rows, columns and bands, got shape {values.shape}')
    first = values.ndim == 3 and values.shape[0] == channels != values.shape[2]
    return np.ascontiguousarray(np.moveaxis(values, 0, -1) if first else values)


def decode_for_drawing(content: bytes) -> NDArray[np.uint8]:
    """Decode a file's bytes to (H, W, 3) uint8 in RGB: of many bands the first three.

    Raises:
        ValueError, OSError, cv2.error: The file cannot be decoded.
    """
    if content.startswith(NUMPY_START) or read_header(content).count > 4:
        values = drawable(_last(all_bands(content), 0))
        return np.ascontiguousarray(stretched(values)[..., ::-1])
    return decoding.decode_for_drawing(content)


def drawable(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image of any number of channels as (H, W, 3) in BGR, to draw on.

    Args:
        image: As the loader returns it: (H, W), BGR (H, W, 3), or other bands in the file's order,
            of which the first three are red, green and blue.
    """
    if image.ndim == 2:
        image = image[..., None]
    count = image.shape[2]
    if count == 3:
        return image
    return np.repeat(image[..., :1], 3, axis=2) if count < 3 else image[..., 2::-1]
