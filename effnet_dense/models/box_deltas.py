"""Boxes relative to anchors, as R-CNN encodes them (arXiv 1311.2524, appendix C)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST_RATIO = abs(math.log(16 / 1000))
"""Of the logarithms of sizes, as in mmdet's `DeltaXYWHBBoxCoder`."""


def box_deltas(
    anchors: Tensor, boxes: Tensor, means: Sequence[float], stds: Sequence[float]
) -> Tensor:
    """Encode boxes as mmdet's `bbox2delta` does, to the bit.

    mmdet's copies `means` and `stds` to a GPU in each call, for which the host waits.

    Args:
        anchors: (A, 4) as (x1, y1, x2, y2) in pixels.
        boxes: (A, 4), the box of each anchor.
        means, stds: The four deltas' own; they are normalised by them.

    Returns:
        (A, 4): the centre's shift in anchor sizes, and the logarithms of the sizes' ratios.
    """
    centres, sizes = _centres_and_sizes(anchors.float())
    box_centres, box_sizes = _centres_and_sizes(boxes.float())
    deltas = torch.cat([(box_centres - centres) / sizes, torch.log(box_sizes / sizes)], -1)
    if not any(means) and set(stds) == {1}:
        return deltas
    columns = zip(deltas.unbind(-1), means, stds, strict=True)
    return torch.stack([(column - mean) / std for column, mean, std in columns], -1)


def boxes_of_deltas(
    anchors: Tensor, deltas: Tensor, means: Sequence[float], stds: Sequence[float]
) -> Tensor:
    """Decode deltas as mmdet's `delta2bbox` does without an image's border, to the bit.

    Args:
        anchors: (A, 4) as (x1, y1, x2, y2) in pixels.
        deltas: (A, 4); sizes change at most by a factor of 62.5.
        means, stds: See `box_deltas`.

    Returns:
        (A, 4), boxes as (x1, y1, x2, y2) in pixels.
    """
    if any(means) or set(stds) != {1}:
        columns = zip(deltas.unbind(-1), means, stds, strict=True)
        deltas = torch.stack([column * std + mean for column, mean, std in columns], -1)
    shift, ratio = deltas.split(2, -1)
    centres, sizes = _centres_and_sizes(anchors)
    centres = centres + sizes * shift
    sizes = sizes * ratio.clamp(-LARGEST_RATIO, LARGEST_RATIO).exp()
    return torch.cat([centres - sizes * 0.5, centres + sizes * 0.5], -1)


def _centres_and_sizes(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """(A, 4) → centres and sizes, (A, 2) each."""
    low, high = boxes.split(2, -1)
    return (low + high) * 0.5, high - low
