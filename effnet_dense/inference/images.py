"""What a user calls an image → an array (H, W, 3), uint8, in OpenCV's order BGR."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from effnet_dense.data.transforms import LoadImageFromFile

Picture = NDArray[np.uint8]
ImageInput = str | PathLike[str] | NDArray[np.uint8] | Image.Image


def as_bgr(image: ImageInput) -> Picture:
    """An image as the array (H, W, 3) of uint8, BGR, that OpenCV would read.

    Args:
        image: A path; an array (H, W, 3) of uint8 in the order **BGR**, as OpenMMLab's inferencers
            and `cv2.imread` have it; or a PIL image of any mode, whose transparency is dropped.
            Files and PIL images are turned as their EXIF data say.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is no whole picture, or an array of another shape or type.
    """
    if isinstance(image, np.ndarray):
        return _checked(image)
    if isinstance(image, Image.Image):
        upright = ImageOps.exif_transpose(image)
        return np.ascontiguousarray(np.asarray(upright.convert('RGB'))[..., ::-1])
    if isinstance(image, str | PathLike):
        return read_image(image)
    raise ValueError(
        'expected an image as path, array (H, W, 3) of uint8 or PIL image, got a '
        f'{type(image).__name__}'
    )


def read_image(path: str | PathLike[str]) -> Picture:
    """Read a picture's file as (H, W, 3), uint8, BGR.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no picture, or only a part of one.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no image at {path}')
    results: Any = LoadImageFromFile().transform({'img_path': str(path)})
    return results['img']


def _checked(array: NDArray[Any]) -> Picture:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(
            'expected an image as array (H, W, 3) of uint8 in the order BGR, got '
            f'{array.shape} of {array.dtype}'
        )
    return array
