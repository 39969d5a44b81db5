"""RoIPool (Girshick 2015, arXiv:1504.08083) with mmcv's bins.

torchvision rounds a region to pixels and then divides it into bins; mmcv divides first, and
includes the last pixel of a region.

Shapes: N images, C channels, R regions, A × B bins.
"""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.ops.precision import at_least_float32


def _bins(start: Tensor, end: Tensor, bins: int, limit: int) -> tuple[Tensor, Tensor]:
    """Return the first pixel of each bin and the one after its last, both (R, bins), in the map.

    A region without area has empty bins.
    """
    size = end - start
    index = torch.arange(bins, device=start.device, dtype=start.dtype)
    step = (size / bins)[:, None]
    first = (index * step + start[:, None]).floor().clamp(0, limit).long()
    last = ((index + 1) * step + start[:, None]).ceil().clamp(0, limit).long()
    return first, torch.where(size[:, None] > 0, last, first)


def _window(first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixels of each bin (A, G), and whether it has any (A,).

    first and last are (A,). Bins are padded to equal length with their last pixel, which does not
    change a maximum.
    """
    steps = torch.arange(int((last - first).max().clamp(min=1)), device=first.device)
    pixels = torch.minimum(first[:, None] + steps, last[:, None] - 1)
    return pixels.clamp(min=0), last > first


def _maxima(feature: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maxima of one image's feature (C, H, W) and their flat indices, both (C, A, B).

    rows (A, G) and columns (B, G') are the pixels of each row and column of bins.
    """
    shape = (len(rows), len(columns), rows.shape[1], columns.shape[1])
    pixels = (rows[:, None, :, None] * feature.shape[2] + columns[None, :, None, :]).view(
        *shape[:2], -1
    )
    window = feature[:, rows.flatten()][:, :, columns.flatten()]
    window = window.view(-1, shape[0], shape[2], shape[1], shape[3]).transpose(2, 3).flatten(3)
    maximum, index = window.max(3)
    return maximum, pixels.expand(len(feature), *pixels.shape).gather(3, index[..., None])[..., 0]


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Write the maxima of input (N, C, H, W) to output and their indices to argmax (R, C, A, B).

    rois (R, 5) are image index and x1, y1, x2, y2, the last pixel included. An empty bin has the
    value 0 at index -1.
    """
    (boxes,) = at_least_float32(rois)
    start, end = boxes[:, 1:3] * spatial_scale, (boxes[:, 3:] + 1) * spatial_scale
    top, bottom = _bins(start[:, 1], end[:, 1], pooled_height, input.shape[2])
    left, right = _bins(start[:, 0], end[:, 0], pooled_width, input.shape[3])
    for index, image in enumerate(boxes[:, 0].long().tolist()):
        rows, has_rows = _window(top[index], bottom[index])
        columns, has_columns = _window(left[index], right[index])
        maximum, pixel = _maxima(input[image], rows, columns)
        empty = ~(has_rows[:, None] & has_columns)
        output[index] = maximum.masked_fill(empty, 0)
        argmax[index] = pixel.masked_fill(empty, -1)


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Add the gradient of output (R, C, A, B) to grad_input (N, C, H, W) where the maxima were."""
    channels, height, width = grad_input.shape[1:]
    channel = torch.arange(channels, device=rois.device)
    plane = (rois[:, :1].long() * channels + channel)[..., None, None]
    pixel = plane * (height * width) + argmax
    pooled = argmax >= 0
    grad_input.view(-1).index_add_(0, pixel[pooled], grad_output[pooled].to(grad_input.dtype))
