"""RoIAlign (He et al. 2017, arXiv:1703.06870), with the average or the maximum of each bin.

The average is torchvision's operator; torchvision has no maximum.

Shapes: N images, C channels, R regions, A × B bins. rois (R, 5) are image index and x1, y1, x2, y2.
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

MAXIMUM, AVERAGE = 0, 1


def _maxima(features: Tensor, chunk: Regions, size: tuple[int, int]) -> tuple[Tensor, ...]:
    """Return the maxima of regions with equal numbers of samples, and their positions y and x.

    All are (R, C, A, B). A bin without samples has the value 0 at position (-1, -1).
    """
    columns, rows = chunk.samples[0].tolist()
    shape = (len(chunk.image), *size, rows, columns)
    if rows * columns == 0:
        empty = features.new_zeros(shape[0], features.shape[1], *size)
        return empty, empty - 1, empty - 1
    start_x, start_y = chunk.start.view(-1, 2, 1, 1).unbind(1)
    y = start_y + sample_offsets(chunk.bins[:, 1], size[0], rows)
    x = start_x + sample_offsets(chunk.bins[:, 0], size[1], columns)
    y = y[:, :, None, :, None].expand(shape).flatten(3)
    x = x[:, None, :, None, :].expand(shape).flatten(3)
    image = chunk.image.view(-1, 1, 1, 1).expand_as(y)
    values = bilinear_sample(features, image.flatten(), y.flatten(), x.flatten())
    maximum, index = values.view(*y.shape, -1).max(3)  # (R, A, B, C)
    results = (maximum, y.gather(3, index), x.gather(3, index))
    return tuple(result.permute(0, 3, 1, 2) for result in results)


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
        pooled = torch.ops.torchvision.roi_align(
            input, ordered(rois, sampling_ratio), spatial_scale, *size, sampling_ratio, aligned
        )
        output.copy_(pooled)
        return
    all_regions = regions(rois, spatial_scale, size, sampling_ratio, aligned)
    for members, chunk in chunks(all_regions, aligned_height * aligned_width):
        results = _maxima(input, chunk, size)
        for destination, result in zip((output, argmax_y, argmax_x), results, strict=True):
            destination[members] = result.to(destination.dtype)


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
        grads = torch.ops.torchvision._roi_align_backward(
            grad,
            ordered(boxes, sampling_ratio),
            spatial_scale,
            aligned_height,
            aligned_width,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
        grad_input.copy_(grads)
        return
    grad, y, x = at_least_float32(grad_output, argmax_y, argmax_x)
    channels = grad_input.shape[1]
    # The channels' maxima lie at different positions, so each channel is sampled as its own map.
    channel = torch.arange(channels, device=grad.device)
    plane = (rois[:, :1].long() * channels + channel)[..., None, None].expand_as(y)
    pooled = y != -1
    planes = grad.new_zeros(grad_input.flatten(0, 1)[:, None].shape).requires_grad_()
    with torch.enable_grad():
        sampled = bilinear_sample(planes, plane[pooled], y[pooled], x[pooled])[:, 0]
    (grads,) = torch.autograd.grad(sampled, planes, grad[pooled])
    grad_input.copy_(grads.view(grad_input.shape))
