"""What every exported network is given.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.runtimes.metadata import Metadata

IMAGES = 'images'
"""The input (N, 3, H, W): normalised images."""
SIZES = 'sizes'
"""The input (N, 2): height and width of each image without padding."""


def check_images(images: Any, metadata: Metadata) -> None:
    """Check the images that a network is given.

    Raises:
        ValueError: They have another shape or type than the file takes.
    """
    channels = len(metadata.mean)
    size = 'H, W' if metadata.size is None else '{}, {}'.format(*metadata.size)
    expected = f'images (N, {channels}, {size}) of float32'
    if metadata.multiple:
        expected += f', H and W multiples of {metadata.multiple}'
    if not isinstance(images, np.ndarray):
        raise ValueError(f'expected {expected}, got a {type(images).__name__}')
    known = images.dtype == np.float32 and images.ndim == 4 and images.shape[1] == channels
    if not known or input_sides(metadata, *images.shape[2:]) != images.shape[2:]:
        raise ValueError(f'expected {expected}, got {tuple(images.shape)} of {images.dtype}')
    if metadata.batch and len(images) != metadata.batch:
        noun = 'image' if metadata.batch == 1 else 'images'
        raise ValueError(f'expected {metadata.batch} {noun} per pass, got {len(images)}')


def checked_sizes(sizes: Any, images: NDArray[Any]) -> NDArray[np.float32]:
    """Return each image's height and width without padding, (N, 2).

    Args:
        sizes: As many numbers; None: no image is padded.
        images: (N, C, H, W).

    Raises:
        ValueError: There are more or fewer.
    """
    if sizes is None:
        return np.tile(np.array(images.shape[2:], np.float32), (len(images), 1))
    found = np.asarray(sizes, np.float32)
    if found.shape != (len(images), 2):
        raise ValueError(
            f'expected sizes ({len(images)}, 2), height and width of each image, got {found.shape}'
        )
    return found


def input_sides(metadata: Metadata, height: int, width: int) -> tuple[int, int]:
    """Return the height and width to which an image is padded."""
    if metadata.size is not None:
        return metadata.size[0], metadata.size[1]
    multiple = metadata.multiple or 1
    return max(1, -(-height // multiple)) * multiple, max(1, -(-width // multiple)) * multiple
