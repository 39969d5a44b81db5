"""Read and write images: arrays (H, W, 3), uint8, in OpenCV's channel order BGR."""

from __future__ import annotations

import os
from os import PathLike
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from effnet_dense.data.decoding import AS_STORED
from effnet_dense.data.image_files import size_name
from effnet_dense.data.image_headers import dropped_bands
from effnet_dense.data.image_values import ImageRange, Raw, parse_range, to_8_bits
from effnet_dense.data.pil_images import pil_values
from effnet_dense.data.transforms import LoadImageFromFile
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.evaluation.image_writing import write_image

__all__ = ['ImageInput', 'as_bgr', 'read_image', 'write_image']

ImageInput = str | PathLike[str] | NDArray[Any] | Image.Image

EXPECTED_ARRAY = (
    'an array (H, W, 3) in the order BGR, (H, W) in grey, or either with a further channel of '
    'alpha, of bool, integers or floating point'
)


class ImageReader:
    """Converts images to arrays (H, W, 3) of uint8 in BGR, from any source to the same values.

    Args:
        image_range: The values that become 0 and 255, as in `effnet_dense.LoadImageFromFile`.
        upright: Rotate files and PIL images by their EXIF orientation.
        channels: Of the result: (H, W) for one, (H, W, channels) for others, three are BGR.
            Arrays have as many; for one they may also be BGR.

    Raises:
        ValueError: `image_range` is no range.
    """

    def __init__(
        self, image_range: ImageRange = None, upright: bool = True, channels: int = 3
    ) -> None:
        self._range = parse_range(image_range)
        self._upright = upright
        self._channels = channels
        kind = 'color' if upright else f'color_{AS_STORED}'
        self._load = LoadImageFromFile(color_type=kind, image_range=image_range, channels=channels)

    def __call__(self, image: ImageInput) -> ImageArray:
        """Convert an image (see `as_bgr`)."""
        if isinstance(image, np.ma.MaskedArray) and np.ma.is_masked(image):
            raise ValueError(
                'an image given as a masked array has masked values: fill them (`image.filled(0)`)'
            )
        if isinstance(image, np.ndarray):
            raw = _array_values(image) if self._channels == 3 else _bands(image, self._channels)
            return self._convert(raw, 'an image given as array')
        if isinstance(image, Image.Image):
            return self._convert(self._pil_values(image), 'an image given as PIL image')
        if not isinstance(image, str | PathLike):
            raise ValueError(
                f'expected an image as path, PIL image or {EXPECTED_ARRAY}, got a '
                f'{type(image).__name__}'
            )
        if not os.path.exists(image):
            raise FileNotFoundError(f'no image at {image}')
        results: Any = self._load.transform({'img_path': str(image)})
        return results['img']

    def _pil_values(self, image: Image.Image) -> Raw:
        if not all(image.size):
            raise ValueError(f'an image given as PIL image has no pixels: {size_name(*image.size)}')
        try:
            if self._channels == 3:
                return pil_values(image, self._upright, self._range)
            image = ImageOps.exif_transpose(image) if self._upright else image
            values = np.array(image.convert('L') if self._channels == 1 else image)
        except OSError as error:  # Pillow reads the file only now
            raise ValueError(f'an image given as PIL image cannot be read: {error}') from error
        return _bands(values, self._channels)

    def _convert(self, raw: Raw, what: str) -> ImageArray:
        values, notices = to_8_bits(raw, self._range)
        for notice in notices:
            self._load.once.warn(notice.kind, f'{what}: {notice.text}')
        grey = values.ndim == 2 and self._channels == 3
        return np.repeat(values[..., None], 3, axis=2) if grey else values


def as_bgr(image: ImageInput, image_range: ImageRange = None) -> ImageArray:
    """Convert an image to an array (H, W, 3) of uint8 in BGR, as the loader reads it.

    Args:
        image: A path; an array in the order **BGR**, as in OpenMMLab's inferencers and
            `cv2.imread`, or in grey; or a PIL image. Files and PIL images are rotated by their
            EXIF orientation. Alpha, or another fourth band, is dropped, which is logged.
        image_range: The values that become 0 and 255: the largest, or (smallest, largest). By
            default those of the type: uint8 stays as it is, 65535 for 16 bits, 1 for floating
            point; True is 255.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is not a complete image, the array has another shape or type, or
            values are NaN or outside the default range of floating point.
    """
    return ImageReader(image_range)(image)


def read_image(path: str | PathLike[str], image_range: ImageRange = None) -> ImageArray:
    """Read an image file as (H, W, 3), uint8, BGR.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is not a complete image, or no regular file.
    """
    return ImageReader(image_range)(path)


def _array_values(array: NDArray[Any]) -> Raw:
    """Take an array's colours or grey.

    Raises:
        ValueError: Its shape or type is not an image's.
    """
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or not 1 <= channels <= 4 or not array.size:
        raise ValueError(
            f'expected an image as {EXPECTED_ARRAY}, got {array.shape} of {array.dtype}'
        )
    colours = 3 if channels > 2 else 1
    if array.ndim == 3:
        array = array[..., :3] if colours == 3 else array[..., 0]
    return Raw(np.ascontiguousarray(array), None, dropped_bands(colours, channels))


def _bands(array: NDArray[Any], channels: int) -> Raw:
    """Take an array's bands.

    Raises:
        ValueError: It has another number.
    """
    count = array.shape[2] if array.ndim == 3 else 1
    if channels == 1 and count == 3:
        array = cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_BGR2GRAY)
    elif array.ndim not in (2, 3) or count != channels or not array.size:
        raise ValueError(
            f'expected an image of {channels} channels, got {array.shape} of {array.dtype}'
        )
    elif channels == 1 and array.ndim == 3:
        array = array[..., 0]
    return Raw(np.ascontiguousarray(array))
