"""Channel gates and the 1×1 convolution after them as one operator.

In the backward pass of the two, autograd reads and writes the expanded feature, one of a block's
largest, six more times. But a 1×1 convolution of a gated feature equals one with gated kernels, one
kernel per image. The gradients of kernel and gates follow from those kernels' gradients, one matrix
product per image.

Shapes: N images, C channels in, D channels out, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

Mask = tuple[bool, bool, bool, bool]  # whether x, gate, weight and bias need a gradient


def gated_conv2d(x: Tensor, gate: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return `conv2d(x * gate, weight, bias)`; supports second derivatives.

    Args:
        x: (N, C, H, W).
        gate: (N, C, 1, 1).
        weight: (D, C, 1, 1).
        bias: (D,).

    Returns:
        (N, D, H, W).
    """
    return _GatedConv.apply(x, gate, weight, bias)


def gated_gradients(
    gradient: Tensor, x: Tensor, gate: Tensor, weight: Tensor, mask: Mask
) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
    """Compute the gradients of x, gate, weight and bias of `gated_conv2d`, where `mask` is set.

    Args:
        gradient: (N, D, H, W), the output's.
        x: (N, C, H, W).
        gate: (N, C, 1, 1).
        weight: (D, C, 1, 1).
    """
    to_x, to_gate, to_weight, to_bias = mask
    pixels, kernel, gates = gradient.flatten(2), weight.flatten(1), gate.flatten(1)[:, None]
    gradients: list[Tensor | None] = [None, None, None, None]
    if to_x:
        gradients[0] = _by_pixel(pixels.transpose(1, 2), kernel * gates, x)
    if to_gate or to_weight:
        by_image = torch.bmm(pixels, x.flatten(2).transpose(1, 2))
        if to_gate:
            gradients[1] = (by_image * kernel).sum(1).view_as(gate)
        if to_weight:
            gradients[2] = (by_image * gates).sum(0).view_as(weight)
    if to_bias:
        gradients[3] = gradient.sum((0, 2, 3))
    return gradients[0], gradients[1], gradients[2], gradients[3]


def _by_pixel(pixels: Tensor, kernels: Tensor, x: Tensor) -> Tensor:
    """Multiply (N, H·W, D) by (N, D, C): (N, C, H, W) of the shape of x, channels-last."""
    if torch.is_grad_enabled():
        return torch.bmm(pixels, kernels).transpose(1, 2).unflatten(2, x.shape[2:])
    # Autograd adds other gradients in place, but not to a view.
    out = torch.empty_like(x, memory_format=torch.channels_last)
    torch.bmm(pixels, kernels, out=out.permute(0, 2, 3, 1).flatten(1, 2))
    return out


class _GatedConv(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, gate, weight)
        return F.conv2d(x * gate, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, gate, weight = ctx.saved_tensors
        return gated_gradients(gradient, x, gate, weight, ctx.needs_input_grad)
