"""Read and write images: arrays (H, W, 3), uint8, in OpenCV's channel order BGR."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from effnet_dense.data.transforms import LoadImageFromFile
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.utils.atomic import atomic_path
from effnet_dense.utils.outputs import claim

ImageInput = str | PathLike[str] | NDArray[np.uint8] | Image.Image


def as_bgr(image: ImageInput) -> ImageArray:
    """Convert an image to an array (H, W, 3) of uint8 in BGR, as OpenCV reads it.

    Args:
        image: A path; an array (H, W, 3) of uint8 in the order **BGR**, as in OpenMMLab's
            inferencers and `cv2.imread`; or a PIL image of any mode, whose transparency is
            dropped. Files and PIL images are rotated by their EXIF orientation.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is not a complete image, or the array has another shape or type.
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


def read_image(path: str | PathLike[str]) -> ImageArray:
    """Read an image file as (H, W, 3), uint8, BGR.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file is not a complete image.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no image at {path}')
    results: Any = LoadImageFromFile().transform({'img_path': str(path)})
    return results['img']


def write_image(path: Path, image: NDArray[Any]) -> None:
    """Write an image (H, W) or (H, W, 3), BGR, atomically, in the format of the path's suffix.

    Missing folders are created.

    Raises:
        FileExistsError: The package did not write the file that has this name.
        ValueError: OpenCV cannot write this format.
    """
    with atomic_path(claim(path), fsync=False) as partial:
        try:
            written = cv2.imwrite(str(partial), np.ascontiguousarray(image))
        except cv2.error as error:
            raise ValueError(f'cannot write {path}: {error}') from error
        if not written:
            raise ValueError(f'cannot write {path}')


def _checked(array: NDArray[Any]) -> ImageArray:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(
            'expected an image as array (H, W, 3) of uint8 in the order BGR, got '
            f'{array.shape} of {array.dtype}'
        )
    return array
