"""RoIAlign (He et al. 2017, arXiv:1703.06870), average and maximum.

torchvision has the average, bit for bit mmcv's. Its results are written to mmcv's buffers in a
fixed number of parts, so that only a part of them exists twice.

Shapes: N images, C channels, R regions, A × B bins. rois (R, 5) are image index and x1, y1, x2, y2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.compat.mmcv_ops.roi_sampling import (
    Grid,
    Regions,
    bag_sums,
    bin_starts,
    corners,
    ordered,
    parts,
    pixels,
    regions,
    sample_grid,
)
from effnet_dense.ops.precision import at_least_float32

MAXIMUM, AVERAGE = 0, 1

# Into how many parts the work is divided, whatever its size: 1/16 of memory on top
PARTS = 16
# The maximum needs more memory, all samples of a part; and more calls per part
MAXIMUM_PARTS = 8
# Values at a time for the maximum, of all parts: 256 MB
MAX_VALUES = 2**26 * MAXIMUM_PARTS


def write_means(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> None:
    """Write the average of features (N, C, H, W) in each bin to output (R, C, A, B)."""
    features, rois = features.contiguous(), ordered(rois, sampling_ratio)
    for boxes, destination in zip(
        rois.tensor_split(PARTS), output.tensor_split(PARTS), strict=True
    ):
        destination.copy_(
            torch.ops.torchvision.roi_align(
                features, boxes, spatial_scale, *size, sampling_ratio, aligned
            )
        )


def write_gradient(
    grad: Tensor,
    rois: Tensor,
    grad_input: Tensor,
    size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> None:
    """Write the average's gradient by the features to grad_input (N, C, H, W)."""
    rois = ordered(rois, sampling_ratio)
    for part, destination in zip(
        grad.tensor_split(PARTS, 1), grad_input.tensor_split(PARTS, 1), strict=True
    ):
        destination.copy_(
            torch.ops.torchvision._roi_align_backward(
                part, rois, spatial_scale, *size, *destination.shape, sampling_ratio, aligned
            )
        )


def _points(chunk: Regions, total: int, size: tuple[int, int]) -> tuple[Grid, Tensor, Tensor]:
    """Return the samples of regions, of which there are `total`, and their y and x (P,)."""
    grid = sample_grid(chunk.samples, size[0] * size[1], total)
    top, left = (edge.flatten() for edge in bin_starts(chunk.start, chunk.bins, size))
    bins = chunk.bins.repeat_interleave(size[0] * size[1], 0)[grid.bin]
    return grid, top[grid.bin] + grid.row * bins[:, 1], left[grid.bin] + grid.column * bins[:, 0]


def _first_maxima(values: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return the maxima of values (P, C) in each bin and their first samples, both (Q, C).

    The sample of a bin without any is arbitrary.
    """

    def reduce(data: Tensor, by: str) -> Tensor:
        return torch.segment_reduce(data, by, lengths=grid.counts, axis=0, unsafe=True)

    maxima = reduce(values, 'max')
    starts = grid.counts.cumsum(0) - grid.counts
    position = torch.arange(len(values), device=values.device) - starts[grid.bin]
    equal = values == maxima[grid.bin]
    position = torch.where(equal, position[:, None].to(values.dtype), torch.inf)
    first = reduce(position, 'min')
    first = torch.where(first.isfinite(), first, 0).long() + starts[:, None]
    return maxima, first.clamp(max=len(values) - 1)


def _write_maxima(
    features: Tensor,
    chunk: Regions,
    total: int,
    size: tuple[int, int],
    results: tuple[Tensor, ...],
) -> None:
    """Write the regions' maxima and their positions y and x to three results (R, C, A, B).

    total is the number of the regions' samples.
    A bin without samples has the value 0 at position (-1, -1).
    """
    grid, y, x = _points(chunk, total, size)
    if total == 0:
        for result, value in zip(results, (0, -1, -1), strict=True):
            result.fill_(value)
        return
    image = chunk.image.repeat_interleave(size[0] * size[1])[grid.bin]
    index, weight = corners(features.shape[2:], image, y, x)
    one, empty = torch.ones_like(grid.bin), (grid.counts == 0)[:, None]
    split = zip(
        *(tensor.tensor_split(MAXIMUM_PARTS, 1) for tensor in (features, *results)), strict=True
    )
    for part, *destinations in split:
        maxima, first = _first_maxima(bag_sums(pixels(part), index, weight, one), grid)
        found = (maxima.masked_fill(empty, 0), *(p[first].masked_fill(empty, -1) for p in (y, x)))
        for destination, result in zip(destinations, found, strict=True):
            result = result.view(len(chunk.image), *size, part.shape[1])
            destination.copy_(result.permute(0, 3, 1, 2))


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the pooled features of input (N, C, H, W) to output (R, C, A, B).

    Args:
        pool_mode: 0 for the maximum, whose positions are written to argmax_y and argmax_x
            (R, C, A, B); 1 for the average.
    """
    input, rois = at_least_float32(input, rois)
    size = (aligned_height, aligned_width)
    if pool_mode == AVERAGE:
        write_means(input, rois, output, size, spatial_scale, sampling_ratio, aligned)
        return
    located = regions(rois, spatial_scale, size, sampling_ratio, aligned)
    limit = MAX_VALUES // max(input.shape[1], 1)
    bins = aligned_height * aligned_width
    for part, total in parts(located.samples, bins, sampling_ratio, limit):
        chunk = Regions(*(field[part] for field in located))
        results = (output[part], argmax_y[part], argmax_x[part])
        _write_maxima(input, chunk, total, size, results)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the gradient of input (N, C, H, W), given that of output (R, C, A, B)."""
    if pool_mode == AVERAGE:
        grad, boxes = at_least_float32(grad_output, rois)
        size = (aligned_height, aligned_width)
        write_gradient(grad, boxes, grad_input, size, spatial_scale, sampling_ratio, aligned)
        return
    grad, y, x = at_least_float32(grad_output, argmax_y, argmax_x)
    sums = grad.new_zeros(grad_input.numel())
    channel = torch.arange(grad_input.shape[1], device=grad.device)
    planes = rois[:, :1].long() * grad_input.shape[1] + channel
    # The channels' maxima lie at different positions, so each channel is sampled as its own map.
    split = zip(
        *(tensor.tensor_split(MAXIMUM_PARTS) for tensor in (planes, grad, y, x)), strict=True
    )
    for plane, values, row, column in split:
        plane = plane[..., None, None].expand_as(row).flatten()
        index, weight = corners(grad_input.shape[2:], plane, row.flatten(), column.flatten())
        values = (values * (row != -1)).flatten()[:, None] * weight
        sums.index_add_(0, index.flatten(), values.flatten())
    grad_input.copy_(sums.view(grad_input.shape))
