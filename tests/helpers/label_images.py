"""Encode label maps in many image formats."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

VALUES = np.array([[0, 1, 2, 3], [3, 2, 1, 0], [0, 0, 1, 1]], dtype=np.uint8)


def encode(image: Image.Image, kind: str = 'PNG', **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def palette_image(values: np.ndarray) -> Image.Image:
    """Colours that resemble no index, one of them twice."""
    image = Image.fromarray(values).convert('P')
    image.putdata(values.ravel().tolist())
    image.putpalette([200, 9, 9, 7, 210, 7, 200, 9, 9, 90, 90, 90])
    return image


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack('>I', len(content))
        + kind
        + content
        + struct.pack('>I', zlib.crc32(kind + content))
    )


def png(values: np.ndarray, bits: int, colour_type: int = 0) -> bytes:
    """A PNG file by the standard: rows of `bits` a sample, high bits first, filter 0."""
    height, width = values.shape[:2]
    rows = b''
    for row in values.reshape(height, -1):
        text = ''.join(format(int(value), f'0{bits}b') for value in row)
        text += '0' * (-len(text) % 8)
        rows += b'\0' + bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
    header = struct.pack('>IIBBBBB', width, height, bits, colour_type, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        [chunk(b'IHDR', header), chunk(b'IDAT', zlib.compress(rows)), chunk(b'IEND', b'')]
    )
