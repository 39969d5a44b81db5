"""Decode image files to values: all bits, upright, with what is dropped.

OpenCV divides 16 bits by 256 whatever their range is, and does not turn AVIF images. Files of
8 bits are decoded as mmcv decodes them.
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import cv2
import mmcv
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from effnet_dense.data.heif import enable_heif, is_heif
from effnet_dense.data.image_files import EXIF_ORIENTATION, QUARTER_TURNS
from effnet_dense.data.image_headers import Header, read_header
from effnet_dense.data.image_values import Range, Raw, to_8_bits
from effnet_dense.data.pil_images import DEEP_MODES, pil_values

AS_STORED = 'ignore_orientation'
FLAGS = {
    'color': cv2.IMREAD_COLOR,
    'grayscale': cv2.IMREAD_GRAYSCALE,
    'color_ignore_orientation': cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    'grayscale_ignore_orientation': cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION,
}
"""mmcv's color_type → OpenCV's flag; 'unchanged' is left to mmcv."""


def is_upright(color_type: str) -> bool:
    """Whether a color_type rotates images by their EXIF orientation."""
    return not color_type.endswith((AS_STORED, 'unchanged'))


NOT_TURNING = ('turbojpeg', 'tifffile')
"""mmcv's backends that ignore orientations."""


def decode(content: bytes, color_type: str = 'color', backend: str = 'cv2') -> Raw:
    """Decode a file's bytes.

    Args:
        content: The file.
        color_type: mmcv's: 'color', 'grayscale', each also with '_ignore_orientation', or
            'unchanged'.
        backend: mmcv's: 'cv2', 'pillow', 'turbojpeg' or 'tifffile'.

    Returns:
        Values (H, W, 3) in BGR, (H, W) for 'grayscale' and for grey files of more than 8 bits.

    Raises:
        ValueError, OSError, cv2.error: The file cannot be decoded.
    """
    if is_heif(content):
        return _heif(content, color_type)
    if color_type not in FLAGS:
        return Raw(_by_mmcv(content, color_type, backend))
    header = read_header(content)
    upright = not color_type.endswith(AS_STORED)
    if header.cielab:
        return _whole_by_pillow(content, color_type)
    if backend == 'pillow':
        return _by_pillow(content, color_type, upright, header)
    if backend == 'cv2' and header.deep:
        image, own = _deep(content, FLAGS[color_type], header)
    else:
        image, own = _by_mmcv(content, color_type, backend), _own(header)
    turned = backend not in NOT_TURNING and opencv_turns(header.format)
    if upright and not turned:
        image = turn(image, orientation_of(content))
    return Raw(image, own, header.bands)


@cache
def opencv_turns(kind: str) -> bool:
    """Whether this version of OpenCV applies the orientation of a format, tried on a small image.

    OpenCV 5.0 turns JPEG, PNG, WebP and TIFF, and not AVIF.

    Args:
        kind: `Header.format`.
    """
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = QUARTER_TURNS[0]
    file = io.BytesIO()
    try:
        Image.new('RGB', (16, 8)).save(file, kind, exif=exif)
    except (KeyError, OSError, ValueError):  # '', or not in this version of Pillow
        return True
    image = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    return image is None or image.shape[:2] == (16, 8)


def decode_for_drawing(content: bytes) -> NDArray[np.uint8]:
    """Decode a file's bytes to (H, W, 3) uint8 in RGB, for people to look at.

    Images of more than 8 bits are stretched from their smallest to their largest value, whatever
    range the model is given.

    Raises:
        ValueError, OSError, cv2.error: The file cannot be decoded.
    """
    values = stretched(decode(content).values)
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    return np.ascontiguousarray(values[..., ::-1])


def stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert values of any type to 8 bits, from their smallest to their largest."""
    if values.dtype == np.uint8:
        return values
    values = np.nan_to_num(values.astype(np.float32), posinf=np.nan, neginf=np.nan)
    bounds = float(values.min()), float(values.max())
    return to_8_bits(Raw(values), bounds if bounds[0] < bounds[1] else (0.0, 65535.0))[0]


def turn(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn an image (H, W, …) upright, given its EXIF orientation from 1 to 8."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _by_mmcv(content: bytes, color_type: str, backend: str) -> NDArray[Any]:
    image = mmcv.imfrombytes(content, flag=color_type, backend=backend)
    if image is None:
        raise ValueError(_undecodable(content, backend, read_header(content)))
    return np.asarray(image)


def _undecodable(content: bytes, backend: str, header: Header) -> str:
    bands = f', of {header.count} bands' if header.count > 4 else ''
    return f'{len(content)} bytes that {backend} cannot decode{bands}'


def _own(header: Header) -> Range | None:
    return None if header.largest is None else (0.0, float(header.largest))


def _deep(content: bytes, flag: int, header: Header) -> tuple[NDArray[Any], Range | None]:
    """Decode all bits; OpenCV converts only some types to three channels."""
    data = np.frombuffer(content, np.uint8)
    image: Any = cv2.imdecode(data, flag | cv2.IMREAD_ANYDEPTH)
    if image is None:
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(_undecodable(content, 'cv2', header))
    if image.ndim == 3:
        image = image[..., :3] if image.shape[2] > 2 else image[..., 0]
    own = _own(header)
    if own is None and 8 < header.bits < 16 and image.dtype == np.uint16:
        image >>= 16 - header.bits  # OpenCV moves the bits of such a TIFF file up
        own = (0.0, 2.0**header.bits - 1)
    return image, own


def _by_pillow(content: bytes, color_type: str, upright: bool, header: Header) -> Raw:
    with Image.open(io.BytesIO(content)) as image:
        if image.mode in DEEP_MODES:
            return pil_values(image, upright)
    return Raw(_by_mmcv(content, color_type, 'pillow'), None, header.bands)


def _heif(content: bytes, color_type: str) -> Raw:
    """Decode a HEIC file."""
    enable_heif()
    return _whole_by_pillow(content, color_type)


def _whole_by_pillow(content: bytes, color_type: str) -> Raw:
    """Decode a file whose colours Pillow alone knows, to three channels or to grey."""
    with Image.open(io.BytesIO(content)) as image:
        raw = pil_values(image, not color_type.endswith(AS_STORED))
    if color_type.startswith('grayscale') and raw.values.ndim == 3:
        return Raw(cv2.cvtColor(raw.values, cv2.COLOR_BGR2GRAY), raw.own, raw.bands)
    return raw


def orientation_of(content: bytes) -> int:
    """Read the EXIF orientation; 1 if there is none, or Pillow cannot read the file."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return int(image.getexif().get(EXIF_ORIENTATION) or 1)
    except (OSError, SyntaxError, ValueError):
        return 1
