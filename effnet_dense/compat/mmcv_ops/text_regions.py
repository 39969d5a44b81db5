"""Grow text instances from their kernels: PSENet (arXiv:1903.12473) and PAN (arXiv:1908.05900).

Both are breadth-first searches, whose pixels belong to the instance that reaches them first. A
wave of pixels is one step, in the order of a search pixel by pixel. They run on the CPU, as mmcv's.

Maps are (H, W) of row-major pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

Array = npt.NDArray[np.int64]
Scalar = TypeVar('Scalar', bound=np.generic)

# Rows and columns to the neighbours, in mmcv's order: above, below, left, right
NEIGHBOURS = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])


def _grow(
    labels: npt.NDArray[np.int32],
    pixels: Array,
    accepts: Callable[[Array, Array], npt.NDArray[np.bool_]],
) -> Array:
    """Label pixels from `pixels` (K,) on; labels (H, W) is changed.

    Args:
        labels: 0 where a pixel has no label yet.
        pixels: The first wave as flat indices, in order.
        accepts: Whether pixels (K,) may receive labels (K,).

    Returns:
        The pixels from which no other was labelled, in order.
    """
    height, width = labels.shape
    flat = labels.reshape(-1)
    ends = [pixels[:0]]
    while len(pixels):
        row, column = (
            axis[:, None] + step
            for axis, step in zip(np.divmod(pixels, width), NEIGHBOURS.T, strict=True)
        )
        parent, neighbour = np.nonzero(
            (row >= 0) & (row < height) & (column >= 0) & (column < width)
        )
        reached = row[parent, neighbour] * width + column[parent, neighbour]
        label = flat[pixels[parent]].astype(np.int64)
        free = (flat[reached] == 0) & accepts(reached, label)
        reached, label, parent = reached[free], label[free], parent[free]
        first = np.sort(np.unique(reached, return_index=True)[1])
        ends.append(np.delete(pixels, parent[first]))
        pixels = reached[first]
        flat[pixels] = label[first]
    return np.concatenate(ends)


def _map_of(tensor: Tensor, dtype: type[Scalar]) -> npt.NDArray[Scalar]:
    return tensor.detach().cpu().numpy().astype(dtype)


def _in_mask(mask: npt.NDArray[np.bool_], pixels: Array, label: Array) -> npt.NDArray[np.bool_]:
    return mask[pixels]


def contour_expand(
    kernel_mask: Tensor, internal_kernel_label: Tensor, min_kernel_area: int, kernel_num: int
) -> list[list[int]]:
    """Grow the smallest kernels over each larger one in turn; returns labels (H, W).

    In every step, only pixels grow from which no other was labelled in the step before. mmcv's
    compiled operator reads the largest kernels in every step, by mistake; with two maps that is
    the same.

    Args:
        kernel_mask: (K, H, W), kernels from large to small.
        internal_kernel_label: (H, W), the smallest kernels' labels, 0 for none.
        min_kernel_area: Kernels of fewer pixels are dropped.
        kernel_num: Unused, the largest label follows from the map.
    """
    labels = _map_of(internal_kernel_label, np.int32)
    masks = _map_of(kernel_mask, np.bool_)
    if labels.min(initial=0) < 0:
        raise ValueError(f'internal_kernel_label must not be negative, got {labels.min()}')
    labels[np.bincount(labels.reshape(-1), minlength=1)[labels] < min_kernel_area] = 0
    pixels = np.flatnonzero(labels)
    for mask in masks[:-1][::-1].reshape(-1, labels.size):
        pixels = _grow(labels, pixels, partial(_in_mask, mask))
    rows: list[list[int]] = labels.tolist()
    return rows


def _kernel_embeddings(
    embedding: npt.NDArray[np.float32], labels: Array, count: int
) -> npt.NDArray[np.float32]:
    """Return the mean embeddings (count, E) of the kernels' pixels, given embedding (H * W, E)."""
    pixels = np.bincount(labels, minlength=count)[:, None]
    sums = np.zeros((count, embedding.shape[1]))
    np.add.at(sums, labels, embedding)
    return (sums / np.maximum(pixels, 1)).astype(np.float32)


def pixel_group(
    score: Tensor,
    mask: Tensor,
    embedding: Tensor,
    kernel_label: Tensor,
    kernel_contour: Tensor,
    kernel_region_num: int,
    distance_threshold: float,
) -> list[list[float]]:
    """Add pixels to kernels whose embedding is near; returns a list for each label.

    Args:
        score: (H, W), the confidence of text.
        mask: (H, W), where text may be.
        embedding: (H, W, E).
        kernel_label: (H, W), the kernels' labels, below `kernel_region_num`; 0 for none.
        kernel_contour: (H, W), the kernels' border pixels, from which they grow.
        kernel_region_num: Labels, including 0.
        distance_threshold: Of embeddings, from a pixel to its kernel's mean.

    Returns:
        For each label the mean score, the number of pixels, and x and y of each pixel in row-major
        order. Label 0 has none.
    """
    labels = _map_of(kernel_label, np.int32)
    if labels.size and not 0 <= labels.min() <= labels.max() < kernel_region_num:
        raise ValueError(
            f'kernel_label must be within 0 to {kernel_region_num - 1}, below kernel_region_num, '
            f'got {labels.min()} to {labels.max()}'
        )
    vectors = embedding.detach().float().cpu().flatten(0, 1).numpy()
    text = _map_of(mask, np.bool_).reshape(-1)
    kernels = _kernel_embeddings(vectors, labels.reshape(-1).astype(np.int64), kernel_region_num)

    def near(pixels: Array, label: Array) -> npt.NDArray[np.bool_]:
        distance = np.square(kernels[label] - vectors[pixels]).sum(1)
        return text[pixels] & (distance < np.float32(distance_threshold) ** 2)

    _grow(labels, np.flatnonzero((labels > 0) & _map_of(kernel_contour, np.bool_)), near)
    return _instances(labels, score.detach().float().cpu().numpy(), kernel_region_num)


def _instances(
    labels: npt.NDArray[np.int32], score: npt.NDArray[np.float32], count: int
) -> list[list[float]]:
    """Return each label's mean score, number of pixels, and x and y of each pixel."""
    flat = labels.reshape(-1)
    pixels = np.argsort(flat, kind='stable')
    ends = np.searchsorted(flat[pixels], np.arange(1, count + 1))
    result: list[list[float]] = [[0.0, 0.0]]
    for start, end in pairwise(ends):
        members = pixels[start:end]
        y, x = np.divmod(members, labels.shape[1])
        mean = float(score.reshape(-1)[members].mean()) if len(members) else 0.0
        places = np.stack((x, y), 1).reshape(-1).astype(float).tolist()
        result.append([mean, float(len(members)), *places])
    return result[:count]
