"""Deformable RoI pooling (Dai et al. 2017, arXiv:1703.06211): RoIAlign with shifted bins.

Shapes: N images, C channels, R regions, A × B bins. rois (R, 5) are image index and x1, y1, x2, y2.
offset (R, 2, A, B) is x and y as fractions of the region's size times gamma; empty for RoIAlign.
"""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.compat.mmcv_ops.roi_sampling import (
    Regions,
    bilinear_sample,
    chunks,
    ordered,
    regions,
    sample_offsets,
)
from effnet_dense.ops.precision import at_least_float32


def _pool(features: Tensor, chunk: Regions, offset: Tensor, gamma: float) -> Tensor:
    """Return the pooled features (R, C, A, B) of regions with equal numbers of samples."""
    columns, rows = chunk.samples[0].tolist()
    height, width = offset.shape[2:]
    moved = chunk.start[..., None, None] + gamma * chunk.size[..., None, None] * offset
    y = sample_offsets(chunk.bins[:, 1], height, rows)[:, :, None, :, None]
    x = sample_offsets(chunk.bins[:, 0], width, columns)[:, None, :, None, :]
    y, x = torch.broadcast_tensors(
        moved[:, 1, :, :, None, None] + y, moved[:, 0, ..., None, None] + x
    )
    image = chunk.image.view(-1, 1, 1, 1, 1).expand_as(y)
    values = bilinear_sample(features, image.flatten(), y.flatten(), x.flatten())
    values = values.view(len(offset), height, width, rows * columns, -1).sum(3)
    return values.permute(0, 3, 1, 2) / max(rows * columns, 1)


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
        pooled = torch.ops.torchvision.roi_align(
            features, ordered(rois, sampling_ratio), spatial_scale, *size, sampling_ratio, True
        )
        output.copy_(pooled)
        return
    all_regions = regions(rois, spatial_scale, size, sampling_ratio, True)
    for members, chunk in chunks(all_regions, pooled_height * pooled_width):
        output[members] = _pool(features, chunk, offset[members], gamma).to(output.dtype)


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
        grads = torch.ops.torchvision._roi_align_backward(
            grad,
            ordered(rois, sampling_ratio),
            spatial_scale,
            *size,
            *input.shape,
            sampling_ratio,
            True,
        )
        grad_input.copy_(grads)
        return
    features = features.detach().requires_grad_()
    all_regions = regions(rois, spatial_scale, size, sampling_ratio, True)
    for members, chunk in chunks(all_regions, pooled_height * pooled_width):
        moved = offset[members].detach().requires_grad_()
        with torch.enable_grad():
            output = _pool(features, chunk, moved, gamma)
        grads = torch.autograd.grad(output, (features, moved), grad[members])
        grad_input.add_(grads[0].to(grad_input.dtype))
        grad_offset[members] = grads[1].to(grad_offset.dtype)
