"""Pack images faster than mmdet and mmseg do, with the same result.

Their steps copy an image (H, W, C) to planes (C, H, W) with numpy or torch, value by value; OpenCV
takes a quarter of the time or less, also for crops and mirrored images, which are views.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from mmdet.datasets.transforms import PackDetInputs as MmdetPackDetInputs
from mmseg.datasets.transforms import PackSegInputs as MmsegPackSegInputs
from numpy.typing import NDArray

PARTS = ('dataset', 'datasets', 'pipeline', 'transforms', 'transform')
"""Attributes in which datasets and pipelines keep their parts."""

TYPES = (np.uint8, np.float32)
"""Types of images that OpenCV splits."""


class PackDetInputs(MmdetPackDetInputs):
    """mmdet's, with `planar` images."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack a sample."""
        return super().transform(_with_planar(results))


class PackSegInputs(MmsegPackSegInputs):
    """mmseg's, with `planar` images."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack a sample."""
        return super().transform(_with_planar(results))


FASTER = {MmdetPackDetInputs: PackDetInputs, MmsegPackSegInputs: PackSegInputs}


def pack_faster(dataset: object) -> None:
    """Replace the class of each step of mmdet and mmseg that packs a dataset's samples."""
    for part in parts_of(dataset):
        if type(part) in FASTER:
            part.__class__ = FASTER[type(part)]


def parts_of(part: object) -> Iterator[Any]:
    """Yield a dataset or pipeline and all datasets and transforms inside of it."""
    if isinstance(part, list | tuple):
        for child in part:
            yield from parts_of(child)
        return
    yield part
    attributes = getattr(part, '__dict__', {})
    for name in PARTS:
        if name in attributes:
            yield from parts_of(attributes[name])


def _with_planar(results: dict[str, Any]) -> dict[str, Any]:
    return {**results, 'img': planar(results['img'])} if 'img' in results else results


def planar(image: NDArray[Any]) -> NDArray[Any]:
    """Copy an image (H, W, C) so that its planes lie one after the other in memory.

    Returns:
        The same values, (H, W, C); images that OpenCV does not split, as they are.
    """
    if image.ndim != 3 or image.dtype not in TYPES or not image.size or image.shape[2] == 1:
        return image
    image = _forwards(image)
    planes = np.empty((image.shape[2], *image.shape[:2]), image.dtype)
    cv2.split(image, list(planes))
    return planes.transpose(1, 2, 0)


def _forwards(image: NDArray[Any]) -> NDArray[Any]:
    """Copy a mirrored view (H, W, C), which OpenCV cannot read."""
    backwards = image.strides[0] < 0, image.strides[1] < 0
    if not any(backwards):
        return image
    steps = [-1 if back else 1 for back in backwards]
    return cv2.flip(image[:: steps[0], :: steps[1]], {(1, 0): 0, (0, 1): 1, (1, 1): -1}[backwards])
