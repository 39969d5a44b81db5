"""Boxes relative to anchors, as R-CNN encodes them (arXiv 1311.2524, appendix C)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


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


def _centres_and_sizes(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """(A, 4) → centres and sizes, (A, 2) each."""
    low, high = boxes.split(2, -1)
    return (low + high) * 0.5, high - low
