"""Deformable RoI pooling (Dai et al. 2017, arXiv:1703.06211): RoIAlign with shifted bins.

Shapes: N images, C channels, R regions, A × B bins. rois (R, 5) are image index and x1, y1, x2, y2.
offset (R, 2, A, B) is x and y as fractions of the region's size times gamma; empty for RoIAlign.
"""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.compat.mmcv_ops.roi_align import write_gradient, write_means
from effnet_dense.compat.mmcv_ops.roi_sampling import (
    Regions,
    bin_means,
    bin_starts,
    parts,
    regions,
    sample_grid,
)
from effnet_dense.ops.precision import at_least_float32


def _pool(features: Tensor, part: Regions, total: int, offset: Tensor, gamma: float) -> Tensor:
    """Return the pooled features (R, C, A, B), differentiable by features and offset.

    total is the number of samples in all regions.
    """
    height, width = offset.shape[2:]
    count = height * width
    top, left = bin_starts(part.start, part.bins, (height, width))
    moved = gamma * part.size[..., None, None] * offset
    top, left = (top + moved[:, 1]).flatten(), (left + moved[:, 0]).flatten()
    grid = sample_grid(part.samples, count, total)
    bins = part.bins.repeat_interleave(count, 0)[grid.bin]
    y, x = top[grid.bin] + grid.row * bins[:, 1], left[grid.bin] + grid.column * bins[:, 0]
    means = bin_means(features, part.image.repeat_interleave(count), grid, y, x)
    return means.view(len(offset), height, width, -1).permute(0, 3, 1, 2)


def deform_roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    output: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> None:
    """Write the pooled features of input (N, C, H, W) to output (R, C, A, B)."""
    features, rois, offset = at_least_float32(input, rois, offset)
    size = (pooled_height, pooled_width)
    if offset.numel() == 0:
        write_means(features, rois, output, size, spatial_scale, sampling_ratio, True)
        return
    located = regions(rois, spatial_scale, size, sampling_ratio, True)
    for part, total in parts(located.samples, pooled_height * pooled_width, sampling_ratio):
        chunk = Regions(*(field[part] for field in located))
        output[part] = _pool(features, chunk, total, offset[part], gamma).to(output.dtype)


def deform_roi_pool_backward(
    grad_output: Tensor,
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> None:
    """Write the gradients of input and offset, given that of output (R, C, A, B)."""
    grad, features, rois, offset = at_least_float32(grad_output, input, rois, offset)
    size = (pooled_height, pooled_width)
    if offset.numel() == 0:
        write_gradient(grad, rois, grad_input, size, spatial_scale, sampling_ratio, True)
        return
    features = features.detach().requires_grad_()
    located = regions(rois, spatial_scale, size, sampling_ratio, True)
    for part, total in parts(located.samples, pooled_height * pooled_width, sampling_ratio):
        chunk = Regions(*(field[part] for field in located))
        moved = offset[part].detach().requires_grad_()
        with torch.enable_grad():
            output = _pool(features, chunk, total, moved, gamma)
        grads = torch.autograd.grad(output, (features, moved), grad[part])
        grad_input.add_(grads[0].to(grad_input.dtype))
        grad_offset[part] = grads[1].to(grad_offset.dtype)
