"""Convert COCO's panoptic images: id = R + 256 G + 256² B (cocodataset.org, Format data)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rgb2id(color: NDArray[np.integer]) -> NDArray[np.int32]:
    """Return the segment ids (H, W) of a panoptic image (H, W, 3) in RGB order.

    Raises:
        ValueError: The last axis is not R, G, B.
    """
    color = np.asarray(color)
    if color.ndim == 0 or color.shape[-1] != 3:
        raise ValueError(f'expected colours of shape (H, W, 3), got {color.shape}')
    # 256² does not fit the image's uint8.
    red, green, blue = np.moveaxis(color.astype(np.int32), -1, 0)
    return red + 256 * green + 256**2 * blue


def id2rgb(id_map: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the panoptic image (H, W, 3), RGB, of segment ids (H, W): the inverse of `rgb2id`.

    Raises:
        ValueError: An id that three bytes cannot hold.
    """
    ids = np.asarray(id_map)
    if ids.size and not 0 <= ids.min() <= ids.max() < 256**3:
        raise ValueError(f'expected ids from 0 to 256³ − 1, got {ids.min()} to {ids.max()}')
    return np.stack([ids % 256, ids // 256 % 256, ids // 256**2], axis=-1).astype(np.uint8)
