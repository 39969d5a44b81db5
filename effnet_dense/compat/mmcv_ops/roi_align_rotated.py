"""RoIAlign in rotated regions (Ma et al. 2018, arXiv:1703.01086, and detectron2).

Shapes: N images, C channels, R regions, A × B bins. rois (R, 6) are image index, centre x and y,
width, height and angle in radians.
"""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.compat.mmcv_ops.roi_sampling import (
    Part,
    Pool,
    bin_means,
    bin_starts,
    sample_counts,
    sample_grid,
    write_features_gradient,
    write_pooled,
)
from effnet_dense.ops.precision import at_least_float32


def _operator(
    rois: Tensor,
    size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
    clockwise: bool,
) -> Pool:
    """Return the operator for these regions."""
    centre = rois[:, 1:3] * spatial_scale - (0.5 if aligned else 0.0)
    extent = rois[:, 3:5] * spatial_scale
    if not aligned:
        extent = extent.clamp(min=1)
    angle = -rois[:, 5] if clockwise else rois[:, 5]
    turn = torch.stack((angle.cos(), angle.sin()), 1)
    bins = extent / extent.new_tensor(size[::-1])
    samples = sample_counts(bins, sampling_ratio)
    count = size[0] * size[1]

    def pool(features: Tensor, chosen: Part) -> Tensor:
        part = chosen.regions
        grid = sample_grid(samples[part], count, chosen.samples)
        top, left = bin_starts(-extent[part] / 2, bins[part], size)
        region = grid.bin // count
        width, height = bins[part][region].unbind(1)
        down = top.flatten()[grid.bin] + grid.row * height
        across = left.flatten()[grid.bin] + grid.column * width
        (cos, sin), (x, y) = turn[part][region].unbind(1), centre[part][region].unbind(1)
        y, x = y + down * cos - across * sin, x + down * sin + across * cos
        image = rois[part, 0].long().repeat_interleave(count)
        means = bin_means(features, image, grid, y, x)
        return means.view(-1, *size, features.shape[1]).permute(0, 3, 1, 2)

    return Pool(pool, samples, sampling_ratio)


def roi_align_rotated_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
    clockwise: bool,
) -> None:
    """Write the means of input (N, C, H, W) in each bin to output (R, C, A, B).

    Args:
        spatial_scale: Feature pixels per image pixel.
        sampling_ratio: Samples per bin along each axis; 0 for about one per feature pixel.
        aligned: Shift by half a pixel, to pixel centres; else regions are at least one pixel.
        clockwise: The angles turn clockwise in the image; else counterclockwise.
    """
    features, rois = at_least_float32(input, rois)
    size = (pooled_height, pooled_width)
    operator = _operator(rois, size, spatial_scale, sampling_ratio, aligned, clockwise)
    write_pooled(operator, features, output)


def roi_align_rotated_backward(
    grad_output: Tensor,
    rois: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
    clockwise: bool,
) -> None:
    """Add the gradient of input, given that of output (R, C, A, B), to grad_input."""
    grad, rois = at_least_float32(grad_output, rois)
    size = (pooled_height, pooled_width)
    operator = _operator(rois, size, spatial_scale, sampling_ratio, aligned, clockwise)
    write_features_gradient(operator, grad, grad_input)
