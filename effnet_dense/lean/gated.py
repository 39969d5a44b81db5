"""Squeeze-and-excitation and the 1×1 convolution after it as one layer.

Shapes: N images, C channels in, D channels out, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from effnet_dense.models.layers import SqueezeExcite, channel_means
from effnet_dense.ops.gated_conv import gated_conv2d
from effnet_dense.utils.modules import has_hooks, is_exactly


class GatedProjection(nn.Module):
    """Squeeze-and-excitation and the 1×1 convolution of the weighted feature."""

    def __init__(self, se: SqueezeExcite, conv: nn.Conv2d) -> None:
        super().__init__()
        self.squeeze, self.act, self.excite = se.conv1.conv, se.conv1.act, se.conv2.conv
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, D, H, W)."""
        gate = self.gate(channel_means(x), dict(self.named_parameters()))
        return gated_conv2d(x, gate, self.conv.weight, self.conv.bias)

    def gate(self, means: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """Compute the channels' gates from their means, both (N, C, 1, 1), with given parameters.

        By linear layers: PyTorch takes three to ten times as long for a convolution of one pixel.
        """
        squeezed = pixel_linear(means.flatten(1), parameters, 'squeeze')
        if self.act is not None:
            squeezed = self.act(squeezed)
        return pixel_linear(squeezed, parameters, 'excite').sigmoid()[:, :, None, None]


def pixel_linear(x: Tensor, parameters: Mapping[str, Tensor], name: str) -> Tensor:
    """Apply the 1×1 convolution called `name` to a single pixel: (N, C) → (N, D)."""
    return F.linear(x, parameters[f'{name}.weight'].flatten(1), parameters.get(f'{name}.bias'))


def join_gated(layers: Iterable[Any], x: Tensor) -> list[nn.Module]:
    """Join each attention with the projection after it, if that is faster.

    Args:
        layers: Layers in the order in which they run.
        x: (N, C, H, W), the first layer's input, in the dtype that all of them run in.
    """
    joined: list[Any] = []
    for layer in layers:
        before: Any = joined[-1] if joined else None
        if _can_join(before, layer, x):
            joined[-1] = GatedProjection(before, layer)
        else:
            joined.append(layer)
    return joined


def _can_join(se: Any, conv: Any, x: Tensor) -> bool:
    """Whether joining is faster and has no side effect.

    It was measured to be faster on CPUs in float32. Traces and graphs of torch.compile should
    contain PyTorch's own operators, and modules' hooks should fire.
    """
    if type(se) is not SqueezeExcite:
        return False
    on_cpu = x.device.type in ('cpu', 'meta')  # meta: counts what a CPU would save
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
    """Whether a convolution is a linear layer at each pixel."""
    if not is_exactly(conv, nn.Conv2d) or not isinstance(conv, nn.Conv2d):
        return False
    ones = conv.kernel_size == conv.stride == (1, 1) and conv.groups == 1
    return ones and conv.padding == (0, 0)
