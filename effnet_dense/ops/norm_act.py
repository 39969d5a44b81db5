"""Batch norm in training and the activation after it as one operator, on CPUs and on CUDA.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from effnet_dense.ops import fused_norm, triton_norm
from effnet_dense.ops.batch_norm import Normed
from effnet_dense.ops.depthwise import Padding


def supports(x: Tensor, weight: Tensor | None, bias: Tensor | None, act: str) -> bool:
    """Whether there is such an operator.

    Args:
        x: (N, C, H, W).
        weight: (C,), like bias.
        act: One of `triton_norm.ACTIVATIONS`.
    """
    if x.device.type in triton_norm.DEVICES:
        return triton_norm.supports(x, weight, bias)
    return act == 'silu' and fused_norm.supports(x, weight, bias)


def takes_neighbours(x: Tensor) -> bool:
    """Whether gates and padding after it can be part of an operator that `supports` accepts."""
    return x.device.type in triton_norm.DEVICES


def norm_act(x: Tensor, *rest: Any) -> Tensor:
    """Normalise a feature (N, C, H, W) by known statistics, and activate.

    Args:
        x: (N, C, H, W).
        rest: mean, 1 ÷ σ, weight and bias, (C,) each; the activation; if `takes_neighbours`, also
            gates (N, C, 1, 1) or None, and zeros around the result or None.
    """
    if x.device.type in triton_norm.DEVICES:
        return triton_norm.norm_act(x, *rest)
    return fused_norm.norm_silu(x, *rest[:4])


def norm_act_in_training(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    norm: Any,
    act: str,
    owned: bool,
    padding: Padding | None = None,
) -> Normed:
    """Normalise by the batch's statistics, update the running ones, and activate, with autograd.

    Args:
        x: (N, C, H, W).
        weight: (C,), like bias.
        norm: The batch norm in training.
        act: The activation.
        owned: Whether the output's gradient will be nobody else's, and may be overwritten.
        padding: Zeros around the output, if `takes_neighbours`.

    Returns:
        The output, and mean and 1 ÷ σ, (C,) each.
    """
    if x.device.type in triton_norm.DEVICES:
        return triton_norm.norm_act_in_training(x, weight, bias, norm, act, owned, padding)
    return fused_norm.norm_silu_in_training(x, weight, bias, norm, owned)
