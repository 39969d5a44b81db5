"""Decode JPEG files at 1/2, 1/4 or 1/8 of their size, without computing the other pixels.

A block of 8 × 8 pixels is stored as frequencies, of which libjpeg transforms the lowest only: each
pixel is about the mean of those that it stands for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import mmcv
import numpy as np
from numpy.typing import NDArray

from effnet_dense.data.bombs import jpeg_or_png_size
from effnet_dense.data.decoding import FLAGS, is_upright, orientation_of
from effnet_dense.data.image_files import QUARTER_TURNS

Size = tuple[int, int]
"""Width and height."""

FACTORS = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
}
"""By how much libjpeg divides the sides → OpenCV's flag, which the flags of `FLAGS` join."""

START = b'\xff\xd8'
EXIF = b'Exif\0\0'
APP1, SCAN = 0xE1, 0xDA


class Jpeg(NamedTuple):
    """What a JPEG file says of its image as it is loaded.

    Attributes:
        size: Width and height, turned.
        orientation: By which it is turned, from 1 (not at all) to 8.
    """

    size: Size
    orientation: int


def read_jpeg(content: bytes, color_type: str) -> Jpeg | None:
    """Read the header of a JPEG file.

    Args:
        content: The file.
        color_type: mmcv's: whether images are turned by their orientation.

    Returns:
        None for other files and unusual headers.
    """
    size = jpeg_or_png_size(content) if content.startswith(START) else None
    if size is None or not all(size):
        return None
    turns = is_upright(color_type) and _has_exif(content)
    orientation = orientation_of(content) if turns else 1
    return Jpeg(size[::-1] if orientation in QUARTER_TURNS else size, orientation)


def _has_exif(content: bytes) -> bool:
    """Whether a segment before the image data holds EXIF (JEITA CP-3451, 4.7.2)."""
    at = len(START)
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != SCAN:
        if content[at + 1] == APP1 and content.startswith(EXIF, at + 4):
            return True
        at += 2 + int.from_bytes(content[at + 2 : at + 4], 'big')
    return False


def largest_factor(jpeg: Jpeg, wanted: Size) -> int:
    """Return the largest factor at which an image is not smaller than `wanted`; 1 if none is.

    A turned image's sides must be multiples: the incomplete pixels may come first.
    """
    for factor in FACTORS:
        large = all(factor * less <= side for side, less in zip(jpeg.size, wanted, strict=True))
        if large and (jpeg.orientation == 1 or not any(side % factor for side in jpeg.size)):
            return factor
    return 1


def decode_reduced(content: bytes, color_type: str, factor: int) -> NDArray[np.uint8]:
    """Decode a JPEG file at a part of its size.

    Args:
        content: The file.
        color_type: One of `FLAGS`.
        factor: One of `FACTORS`.

    Returns:
        (H, W, 3) in BGR or (H, W), with sides divided by `factor` and rounded up.

    Raises:
        ValueError, cv2.error: It cannot be decoded.
    """
    flag = FLAGS[color_type] | FACTORS[factor]
    image: Any = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    if image is None:
        raise ValueError(f'{len(content)} bytes that cv2 cannot decode')
    return image


def resize_reduced(
    image: NDArray[np.uint8], size: Size, factor: int, wanted: Size
) -> NDArray[np.uint8]:
    """Resize what `decode_reduced` returns, as if it were the complete image.

    If the sides are no multiples of `factor`, the last column and row stand for fewer pixels than
    the others: coordinates follow the complete image.

    Args:
        image: (H, W) or (H, W, 3).
        size: Of the complete image.
        factor: By which it was reduced.
        wanted: Width and height.

    Returns:
        The image by bilinear interpolation, of the size `wanted`.
    """
    if not any(side % factor for side in size):
        return mmcv.imresize(image, wanted)
    (x, y) = (side / factor / new for side, new in zip(size, wanted, strict=True))
    from_wanted = np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(  # type: ignore[return-value]
        image, from_wanted, wanted, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
