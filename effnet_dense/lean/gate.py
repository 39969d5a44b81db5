"""Squeeze-and-excitation and the 1×1 convolution after it as one layer.

Shapes: N images, C channels in, D channels out, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from effnet_dense.models.layers import SqueezeExcite, channel_means, is_pointwise
from effnet_dense.utils.modules import has_hooks, has_hooks_inside


def gates_of(se: Any, means: Tensor) -> Tensor:
    """Compute the channels' gates from their means, (N, C, 1, 1) both."""
    return se.conv2(se.conv1(means)).sigmoid()


def gates_by_linear(se: Any, x: Tensor) -> Tensor:
    """Compute the channels' gates: (N, C, H, W) → (N, C, 1, 1).

    By linear layers: PyTorch takes three to ten times as long for a convolution of one pixel.
    """
    squeezed = se.conv1.act(_pixel_linear(channel_means(x).flatten(1), se.conv1.conv))
    return _pixel_linear(squeezed, se.conv2.conv).sigmoid()[:, :, None, None]


def _pixel_linear(x: Tensor, conv: Any) -> Tensor:
    """Apply a 1×1 convolution to a single pixel: (N, C) → (N, D)."""
    return F.linear(x, conv.weight.flatten(1), conv.bias)


def can_join(se: Any, conv: Any, x: Tensor) -> bool:
    """Whether `gated_conv2d` is faster than attention and projection, without a side effect.

    It was measured to be faster on CPUs in float32. Traces and graphs of torch.compile should
    contain PyTorch's own operators, and modules' hooks should fire.

    Args:
        se: A module.
        conv: The module after it.
        x: (N, C, H, W).
    """
    if type(se) is not SqueezeExcite:
        return False
    on_cpu = x.device.type in ('cpu', 'meta')  # meta: counts what a CPU would save
    if not on_cpu or x.dtype != torch.float32 or not torch.is_grad_enabled():
        return False
    if torch.is_autocast_enabled('cpu') or torch.jit.is_tracing() or torch.compiler.is_compiling():
        return False
    if not all(is_pointwise(module) for module in (se.conv1.conv, se.conv2.conv, conv)):
        return False
    if se.conv1.act is None or any(True for _ in se.conv1.act.parameters()):
        return False
    return not (has_hooks_inside(se) or has_hooks(conv))
