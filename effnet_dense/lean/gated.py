"""A feature weighed by channel attention and its 1×1 projection, as one operator.

Autograd reads and writes the expanded feature, with depthwise outputs the largest there is, six
more times in the backward pass of the two. But a 1×1 convolution of a weighed feature is one by
weighed kernels, a picture's own each: their gradients, a matrix product each, hold those of kernel
and weights.

Letters: N images, C channels in, D channels out, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from effnet_dense.models.layers import SqueezeExcite, channel_means

Mask = tuple[bool, bool, bool, bool]


def gated_gradients(
    gradient: Tensor, x: Tensor, gate: Tensor, weight: Tensor, mask: Mask
) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
    """Those of x, gate, weight and bias of `conv2d(x * gate, weight, bias)`, where `mask` asks.

    Args:
        gradient: (N, D, H, W), of the output.
        x: (N, C, H, W).
        gate: (N, C, 1, 1).
        weight: (D, C, 1, 1).
    """
    to_x, to_gate, to_weight, to_bias = mask
    pixels, kernel, gates = gradient.flatten(2), weight.flatten(1), gate.flatten(1)[:, None]
    found: list[Tensor | None] = [None, None, None, None]
    if to_x:
        product = torch.bmm(pixels.transpose(1, 2), kernel * gates)
        found[0] = product.transpose(1, 2).unflatten(2, x.shape[2:])
    if to_gate or to_weight:
        by_picture = torch.bmm(pixels, x.flatten(2).transpose(1, 2))
        if to_gate:
            found[1] = (by_picture * kernel).sum(1).view_as(gate)
        if to_weight:
            found[2] = (by_picture * gates).sum(0).view_as(weight)
    if to_bias:
        found[3] = gradient.sum((0, 2, 3))
    return found[0], found[1], found[2], found[3]


class _Gated(Function):
    """`conv2d(x * gate, weight, bias)`; it can be differentiated twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, gate, weight)
        return F.conv2d(x * gate, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, gate, weight = ctx.saved_tensors
        return gated_gradients(gradient, x, gate, weight, ctx.needs_input_grad)


class GatedProjection(nn.Module):
    """Squeeze-and-excitation and the 1×1 convolution of what it weighs."""

    def __init__(self, se: SqueezeExcite, conv: nn.Conv2d) -> None:
        super().__init__()
        self.squeeze, self.act, self.excite = se.conv1.conv, se.conv1.act, se.conv2.conv
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, D, H, W)."""
        gate = self.gate(channel_means(x), dict(self.named_parameters()))
        return _Gated.apply(x, gate, self.conv.weight, self.conv.bias)

    def gate(self, means: Tensor, own: Mapping[str, Tensor]) -> Tensor:
        """Channels' weights by their means, (N, C, 1, 1) both, with `own` as its parameters.

        By linear layers: for a convolution of one pixel torch takes three to ten times as long.
        """
        squeezed = as_linear(means.flatten(1), own, 'squeeze')
        if self.act is not None:
            squeezed = self.act(squeezed)
        return as_linear(squeezed, own, 'excite').sigmoid()[:, :, None, None]


def as_linear(x: Tensor, own: Mapping[str, Tensor], name: str) -> Tensor:
    """A 1×1 convolution of one pixel, its parameters in `own` under a name: (N, C) → (N, D)."""
    return F.linear(x, own[f'{name}.weight'].flatten(1), own.get(f'{name}.bias'))


def with_gated(pieces: Iterable[Any], x: Tensor) -> list[nn.Module]:
    """A row of modules with each attention and the projection behind it in one.

    Args:
        x: (N, C, H, W), the row's input, in the type of all of them.
    """
    row: list[Any] = []
    for piece in pieces:
        before: Any = row[-1] if row else None
        if _joins(before, piece, x):
            row[-1] = GatedProjection(before, piece)
        else:
            row.append(piece)
    return row


def _joins(se: Any, conv: Any, x: Tensor) -> bool:
    """Whether joining is faster, and nobody would notice.

    It was measured on CPUs, in float32. A trace, and a graph that torch.compile makes, shall hold
    torch's own operators; modules' hooks shall fire.
    """
    if type(se) is not SqueezeExcite:
        return False
    on_cpu = x.device.type in ('cpu', 'meta')  # on meta, what a CPU would save is counted
    if not on_cpu or x.dtype != torch.float32 or not torch.is_grad_enabled():
        return False
    if torch.is_autocast_enabled('cpu') or torch.jit.is_tracing() or torch.compiler.is_compiling():
        return False
    if not all(_is_pointwise(module) for module in (se.conv1.conv, se.conv2.conv, conv)):
        return False
    if se.conv1.act is not None and any(True for _ in se.conv1.act.parameters()):
        return False
    return not any(has_hooks(module) for module in (conv, *se.modules()))


def _is_pointwise(conv: nn.Module) -> bool:
    """Whether a convolution is a linear layer at each pixel, and nothing else."""
    if type(conv) is not nn.Conv2d or 'forward' in vars(conv):
        return False
    ones = conv.kernel_size == conv.stride == (1, 1) and conv.groups == 1
    return ones and conv.padding == (0, 0)


def has_hooks(module: nn.Module) -> bool:
    """Whether something is called when a module runs, forwards or backwards."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )
