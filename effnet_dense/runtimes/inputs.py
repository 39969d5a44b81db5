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
    expected = (len(metadata.mean), *metadata.size)
    if images.dtype != np.float32 or images.ndim != 4 or images.shape[1:] != expected:
        raise ValueError(
            f'expected images (N, {", ".join(map(str, expected))}) of float32, '
            f'got {tuple(images.shape)} of {images.dtype}'
        )
    if metadata.batch and len(images) != metadata.batch:
        raise ValueError(f'expected {metadata.batch} images per pass, got {len(images)}')
