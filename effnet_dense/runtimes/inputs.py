"""What every exported network is given.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from effnet_dense.runtimes.metadata import Metadata

IMAGES = 'images'
"""The input (N, 3, H, W): normalised images."""
SIZES = 'sizes'
"""The input (N, 2): height and width of each image without padding."""


def check_images(images: Any, metadata: Metadata) -> None:
    """Check what a network is given.

    Raises:
        ValueError: It has another shape or type than the file takes.
    """
    channels = len(metadata.mean)
    size = 'H, W' if metadata.size is None else '{}, {}'.format(*metadata.size)
    expected = f'images (N, {channels}, {size}) of float32'
    if metadata.multiple:
        expected += f', H and W multiples of {metadata.multiple}'
    known = images.dtype == np.float32 and images.ndim == 4 and images.shape[1] == channels
    if not known or input_sides(metadata, *images.shape[2:]) != images.shape[2:]:
        raise ValueError(f'expected {expected}, got {tuple(images.shape)} of {images.dtype}')
    if metadata.batch and len(images) != metadata.batch:
        raise ValueError(f'expected {metadata.batch} images per pass, got {len(images)}')


def input_sides(metadata: Metadata, height: int, width: int) -> tuple[int, int]:
    """Return the height and width to which an image is padded."""
    if metadata.size is not None:
        return metadata.size[0], metadata.size[1]
    multiple = metadata.multiple or 1
    return max(1, -(-height // multiple)) * multiple, max(1, -(-width // multiple)) * multiple
