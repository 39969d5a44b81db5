"""Deformable convolution v1 (arXiv:1703.06211) and v2, modulated (arXiv:1811.11168).

torchvision's operator has the same layout of offsets and mask and the same border rule; only the
signatures differ.

Shapes: N images, C channels, O output channels, output size H × W, G deformable groups,
K = kH * kW.

* input (N, C, Hin, Win), weight (O, C / groups, kH, kW)
* offset (N, 2 * G * K, H, W) in pixels, (y, x) alternating; mask (N, G * K, H, W)
"""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.ops.precision import at_least_float32

# stride, padding and dilation as (y, x) each; groups, deformable groups
Geometry = tuple[int, int, int, int, int, int, int, int]


def _operands(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None, bias: Tensor | None
) -> tuple[Tensor, ...]:
    """Fill in torchvision's placeholders for an absent mask and bias; convert all to one dtype."""
    if mask is None:
        mask = input.new_zeros(len(input), 1)
    if bias is None:
        bias = input.new_zeros(len(weight))
    return at_least_float32(input, weight, offset, mask, bias)


def _forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: Geometry,
) -> Tensor:
    """Return the convolution (N, O, H, W)."""
    operands = _operands(input, weight, offset, mask, bias)
    return torch.ops.torchvision.deform_conv2d(*operands, *geometry, mask is not None)


def _backward(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    geometry: Geometry,
) -> tuple[Tensor, ...]:
    """Return the gradients of input, weight, offset, mask and bias."""
    operands = _operands(input, weight, offset, mask, bias)
    (grad_output,) = at_least_float32(grad_output)
    grads = torch.ops.torchvision._deform_conv2d_backward(
        grad_output.to(operands[0].dtype), *operands, *geometry, mask is not None
    )
    kernel = (weight.shape[2], weight.shape[3])
    grads[2].masked_fill_(_enters_map(operands[2], kernel, geometry), 0)
    return grads


def _enters_map(offset: Tensor, kernel: tuple[int, int], geometry: Geometry) -> Tensor:
    """Return (N, 2 * G * K, H, W), True where a sample's coordinate is exactly -1.

    There the value is 0 and has a slope towards the map only. mmcv's kernels count the sample as
    outside, with a gradient of 0; torchvision's give the slope. Zero offsets with padding put
    samples there, which every deformable convolution starts with.
    """
    values = offset.unflatten(1, (-1, kernel[0], kernel[1], 2))
    stride, padding, dilation = geometry[:2], geometry[2:4], geometry[4:6]

    def pixels(axis: int, output: int) -> Tensor:
        """Return the integer coordinates (kernel, output) of samples without offsets."""
        taps = torch.arange(kernel[axis], device=offset.device) * dilation[axis]
        starts = torch.arange(output, device=offset.device) * stride[axis] - padding[axis]
        return taps[:, None] + starts

    y = pixels(0, offset.shape[2])[:, None, :, None] + values[:, :, :, :, 0]
    x = pixels(1, offset.shape[3])[:, None, :] + values[:, :, :, :, 1]
    return torch.stack((y == -1, x == -1), 4).flatten(1, 4)


def _as_kernel_reads(values: Tensor, like: Tensor) -> Tensor:
    """Return offsets or mask as maps of the output's size, given the output `like` (N, O, H, W).

    mmcv's kernel for v2 takes H and W from the output and reads each image's offsets and mask as
    contiguous maps of that size, even if they are larger. mmdet's DyHead passes larger ones for
    the coarser level, and its checkpoints were trained with the values that are read there.
    """
    height, width = like.shape[2:]
    if values.shape[2:] == (height, width):
        return values
    needed = values.shape[1] * height * width
    if values[0].numel() < needed:
        raise ValueError(
            f'offset and mask must have at least the size of the output, {height} x {width}, '
            f'got {values.shape[2]} x {values.shape[3]}'
        )
    return values.flatten(1)[:, :needed].view(len(values), -1, height, width)


def _release(*buffers: Tensor) -> None:
    """Free the memory of mmcv's buffers, to which `_replace` gives that of the results."""
    for buffer in buffers:
        buffer.data = buffer.new_empty(0)


def _replace(buffer: Tensor, result: Tensor) -> None:
    """Make a released buffer the result, in its own dtype."""
    buffer.data = result.to(buffer.dtype)


def _write_gradient(grad: Tensor, result: Tensor) -> None:
    """Write the gradient of the values that `_as_kernel_reads` returned; 0 for the others."""
    flat = grad.new_zeros(len(grad), grad[0].numel())
    flat[:, : result[0].numel()] = result.flatten(1)
    grad.copy_(flat.view(grad.shape))


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Write the convolution to output (N, O, H, W)."""
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    output.copy_(_forward(input, weight, offset, None, None, geometry))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Write the gradients of input and offset."""
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    _release(gradInput, gradOffset)
    grads = _backward(gradOutput, input, weight, offset, None, None, geometry)
    _replace(gradInput, grads[0])
    _replace(gradOffset, grads[2])
    # torchvision computes all gradients at once. The weight's is kept in mmcv's buffer for
    # deform_conv_backward_parameters, which is called next and would compute them all again.
    columns.resize_(grads[1].shape).copy_(grads[1])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Add scale times the weight's gradient to gradWeight.

    deform_conv_backward_input has left it in `columns`. Where only the weight requires a gradient
    it is computed here, with zeros for the weight, on which it does not depend.
    """
    if columns.shape == gradWeight.shape:
        gradWeight.add_(columns, alpha=scale)
        columns.resize_(0)
        return
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    weight = torch.zeros_like(gradWeight)
    grads = _backward(gradOutput, input, weight, offset, None, None, geometry)
    gradWeight.add_(grads[1].to(gradWeight.dtype), alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Write the convolution to output (N, O, H, W)."""
    strides = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w)
    geometry = (*strides, group, deformable_group)
    offset, mask = _as_kernel_reads(offset, output), _as_kernel_reads(mask, output)
    output.copy_(_forward(input, weight, offset, mask, bias if with_bias else None, geometry))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Write the gradients of input, weight, offset, mask and, if there is one, bias."""
    strides = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w)
    geometry = (*strides, group, deformable_group)
    bias_or_none = bias if with_bias else None
    offset, mask = _as_kernel_reads(offset, grad_output), _as_kernel_reads(mask, grad_output)
    _release(grad_input)
    grads = _backward(grad_output, input, weight, offset, mask, bias_or_none, geometry)
    _replace(grad_input, grads[0])
    grad_weight.copy_(grads[1])
    _write_gradient(grad_offset, grads[2])
    _write_gradient(grad_mask, grads[3])
    if with_bias:
        grad_bias.copy_(grads[4])
