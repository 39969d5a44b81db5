"""Refuse decompression bombs: image files of a few kilobytes that fill the memory when decoded."""

from __future__ import annotations

import io
import struct

from PIL import Image

RATIO = 200
"""A larger image with more pixel data per byte of its file is a bomb. Scanned plans of one bit per
pixel reach 70; deflated constant pixels 1000."""

PIXELS = 2 * 89_478_485
"""Smaller images are decoded anyhow: Pillow's limit, 0.5 GB in colour."""

_PNG = b'\x89PNG\r\n\x1a\n'
_JPEG = b'\xff\xd8'
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
"""Markers of the JPEG segments that hold the size (ITU-T T.81, table B.1)."""

_FAILURES: tuple[type[Exception], ...] = (
    *(ArithmeticError, EOFError, LookupError, OSError, SyntaxError, TypeError, ValueError),
    struct.error,
)

Size = tuple[int, int]


def refuse_bomb(content: bytes) -> None:
    """Compare the size in an image file's header with the file's length; decodes nothing.

    Args:
        content: The file. Formats that Pillow does not read are left to the decoder.

    Raises:
        ValueError: It is a bomb.
    """
    size = jpeg_or_png_size(content)
    if size is not None and size[0] * size[1] <= PIXELS:
        return
    header = _header(content)
    if header is None:
        return
    (width, height), mode = header
    pixels = width * height
    decoded = pixels * (1 if mode == '1' else 8 * Image.getmodebands(mode)) // 8
    if pixels > PIXELS and decoded > RATIO * len(content):
        raise ValueError(
            f'a decompression bomb, {len(content)} bytes for {width} × {height} pixels'
        )


def jpeg_or_png_size(content: bytes) -> Size | None:
    """Read the size of a PNG or JPEG file in a few microseconds, where Pillow takes a hundred."""
    if content.startswith(_PNG) and len(content) >= 24:
        return struct.unpack('>II', content[16:24])
    at = len(_JPEG) if content.startswith(_JPEG) else len(content)
    while at + 9 <= len(content) and content[at] == 0xFF:
        if content[at + 1] in _FRAMES:
            height, width = struct.unpack('>HH', content[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(content[at + 2 : at + 4], 'big')
    return None


def _header(content: bytes) -> tuple[Size, str] | None:
    """Read size and mode as `Image.open` does, which would refuse large images unseen."""
    Image.init()
    for name in Image.ID:
        factory, accepts = Image.OPEN[name]
        try:
            if accepts is not None and accepts(content[:16]) is not True:
                continue
            image = factory(io.BytesIO(content), '')
        except _FAILURES:
            continue
        return image.size, image.mode
    return None
