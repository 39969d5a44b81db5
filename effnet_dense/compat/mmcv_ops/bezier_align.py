"""BezierAlign (Liu et al. 2020, arXiv:2002.10200): pooling between two Bézier curves.

Shapes: N images, C channels, R regions, A × B bins. beziers (R, 17) are image index and x, y of
eight control points: four of the upper curve from left to right, four of the lower one from right
to left.
"""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.compat.mmcv_ops.roi_sampling import (
    Part,
    Pool,
    bin_means,
    sample_counts,
    sample_grid,
    write_features_gradient,
    write_pooled,
)
from effnet_dense.ops.precision import at_least_float32


def _curve(points: Tensor, u: Tensor) -> Tensor:
    """Return cubic curves (R, 2, B) of control points (R, 4, 2) at parameters u (B,)."""
    v = 1 - u
    basis = torch.stack((v**3, 3 * u * v**2, 3 * u**2 * v, u**3))  # (4, B)
    return points.mT @ basis


def _centres(upper: Tensor, lower: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the bins' centres (R, A, B, 2), x and y, between two curves (R, 4, 2).

    The first of A rows lies on the upper curve. As in mmcv, the last one does not reach the lower
    one, nor do the columns reach the right ends: parameters are 0, 1/A, …, (A - 1)/A.
    """
    v, u = (torch.arange(n, device=upper.device, dtype=upper.dtype) / n for n in size)
    v = v[:, None]
    top, bottom = (_curve(points, u)[:, :, None] for points in (upper, lower))
    return (bottom * v + top * (1 - v)).permute(0, 2, 3, 1)


def _operator(
    beziers: Tensor,
    size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Pool:
    """Return the operator for these regions."""
    points = beziers[:, 1:].unflatten(1, (8, 2)) * spatial_scale
    upper, lower = points[:, :4], points[:, 4:].flip(1)
    # As in mmcv, a region's height is that between a curve's ends, not between the curves.
    extent = torch.maximum((upper[:, 0] - upper[:, 3]).abs(), (lower[:, 0] - lower[:, 3]).abs())
    if not aligned:
        extent = extent.clamp(min=1)
    bins = extent / extent.new_tensor(size[::-1])
    samples = sample_counts(bins, sampling_ratio)
    corner = _centres(upper, lower, size) - (0.5 if aligned else 0.0) - bins[:, None, None] / 2
    count = size[0] * size[1]

    def pool(features: Tensor, chosen: Part) -> Tensor:
        part = chosen.regions
        grid = sample_grid(samples[part], count, chosen.samples)
        left, top = corner[part].flatten(0, 2)[grid.bin].unbind(1)
        width, height = bins[part][grid.bin // count].unbind(1)
        image = beziers[part, 0].long().repeat_interleave(count)
        y, x = top + grid.row * height, left + grid.column * width
        means = bin_means(features, image, grid, y, x)
        return means.view(-1, *size, features.shape[1]).permute(0, 3, 1, 2)

    return Pool(pool, samples, sampling_ratio)


def bezier_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> None:
    """Write the means of input (N, C, H, W) in each bin to output (R, C, A, B).

    Args:
        rois: The control points, see above.
        spatial_scale: Feature pixels per image pixel.
        sampling_ratio: Samples per bin along each axis; 0 for about one per feature pixel.
        aligned: Shift by half a pixel, to pixel centres; else regions are at least one pixel.
    """
    features, beziers = at_least_float32(input, rois)
    size = (aligned_height, aligned_width)
    operator = _operator(beziers, size, spatial_scale, sampling_ratio, aligned)
    write_pooled(operator, features, output)


def bezier_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> None:
    """Add the gradient of input, given that of output (R, C, A, B), to grad_input."""
    grad, beziers = at_least_float32(grad_output, rois)
    size = (aligned_height, aligned_width)
    operator = _operator(beziers, size, spatial_scale, sampling_ratio, aligned)
    write_features_gradient(operator, grad, grad_input)
