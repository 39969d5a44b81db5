"""Write images that adversaries bring: deep, turned, with further bands."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHORT, LONG = 3, 4


def quadrants(height: int = 24, width: int = 40) -> NDArray[np.uint8]:
    """Draw a grey image whose four quarters differ, so that every turn shows."""
    grey = np.zeros((height, width), np.uint8)
    grey[: height // 2, : width // 2] = 80
    grey[height // 2 :, : width // 2] = 160
    grey[: height // 2, width // 2 :] = 240
    return grey


def save_turned(path: Path, image: Image.Image, orientation: int, **options: Any) -> Path:
    """Save an image by Pillow with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif, **options)
    return path


def tiff(values: NDArray[Any], orientation: int = 1, bits: int = 0) -> bytes:
    """Write an uncompressed TIFF file (H, W) or (H, W, C).

    Args:
        values: Unsigned or signed integers or floating point.
        orientation: Its tag.
        bits: Pack the integers to so many bits; by default those of their type.
    """
    height, width = values.shape[:2]
    bands = values.shape[2] if values.ndim == 3 else 1
    data = values.astype(values.dtype.newbyteorder('<')).tobytes()
    if bits:
        every = np.unpackbits(values.astype('>u2').view(np.uint8).reshape(-1, 2), axis=1)
        data = np.packbits(every[:, 16 - bits :]).tobytes()
    depth = bits or values.dtype.itemsize * 8
    kind = {'u': 1, 'i': 2, 'f': 3}[values.dtype.kind]
    depths = struct.pack(f'<{bands}H', *[depth] * bands) + b'\0' * 8
    tags = [(256, LONG, 1, width), (257, LONG, 1, height), (259, SHORT, 1, 1)]
    tags += [(258, SHORT, bands, depth if bands == 1 else 8 + len(data))]
    tags += [
        (262, SHORT, 1, 2 if bands > 2 else 1),
        (273, LONG, 1, 8),
        (274, SHORT, 1, orientation),
    ]
    tags += [(277, SHORT, 1, bands), (278, LONG, 1, height), (279, LONG, 1, len(data))]
    tags += [(284, SHORT, 1, 1), (339, SHORT, 1, kind)]
    if bands == 4:
        tags += [(338, SHORT, 1, 0)]
    out = b'II*\0' + struct.pack('<I', 8 + len(data) + len(depths)) + data + depths
    out += struct.pack('<H', len(tags))
    for tag, code, count, value in sorted(tags):
        out += struct.pack('<HHII', tag, code, count, value)
    return out + struct.pack('<I', 0)


def encode(suffix: str, values: NDArray[Any]) -> bytes:
    """Encode an array by OpenCV."""
    return cv2.imencode(suffix, values)[1].tobytes()


def open_image(content: bytes) -> Image.Image:
    """Open a file's bytes by Pillow."""
    return Image.open(io.BytesIO(content))
