"""Batch norm in training, activation and channels' gates, without storing the activated feature.

The gates follow from the activated feature's means, so there are two functions, and what computes
gates from means lies between them. The first one returns a handle in place of the activated
feature, which holds no values: the second one's backward pass returns the output's gradient as the
handle's. By then it has all sums over pixels, from one pass; the first one's adds what the means
contribute.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from effnet_dense.ops.triton_norm import input_gradient, norm_act, statistics


class Exchange:
    """What the backward pass of `multiply` leaves for that of `squeeze`.

    Attributes:
        sums: (5, N, C), see `triton_norm_kernels.gradient_sums`.
        gates: (N, C, 1, 1).
    """

    sums: Tensor
    gates: Tensor


def squeeze(
    x: Tensor, weight: Tensor, bias: Tensor, norm: Any, act: str, exchange: Exchange, owned: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalise and activate for the means only, and update the running statistics.

    Args:
        x: (N, C, H, W), an input that `triton_norm.supports` accepts.
        weight: (C,), like bias.
        norm: The batch norm in training.
        act: One of `triton_norm.ACTIVATIONS`.
        exchange: Also passed to `multiply`.
        owned: Whether the gradient of its output will be nobody else's, and may be overwritten.

    Returns:
        The handle, for `multiply`; means (N, C, 1, 1); mean and 1 ÷ σ of the batch, (C,) each.
    """
    return _Squeeze.apply(x, weight, bias, norm, act, exchange, owned)


def multiply(
    x: Tensor, handle: Tensor, gates: Tensor, *parts_and_act: Any, exchange: Exchange
) -> Tensor:
    """Multiply the activated feature by gates.

    Args:
        x: (N, C, H, W), as for `squeeze`.
        handle: What that returned.
        gates: (N, C, 1, 1).
        parts_and_act: mean, 1 ÷ σ, weight and bias, (C,) each, and the activation.
        exchange: As for `squeeze`.

    Returns:
        (N, C, H, W).
    """
    return _Multiply.apply(x, handle, gates, exchange, *parts_and_act)


class _Squeeze(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: Any, act: str, *rest: Any
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, inverse = statistics(x, norm)
        ctx.save_for_backward(x, weight, bias, mean, inverse)
        ctx.act, (ctx.exchange, ctx.owned) = act, rest
        ctx.mark_non_differentiable(mean, inverse)
        ctx.set_materialize_grads(False)
        means = torch.ops.effnet_dense.triton_norm_means(x, mean, inverse, weight, bias, act)
        handle = torch.empty_strided(x.shape, (0, 0, 0, 0), dtype=x.dtype, device=x.device)
        return handle, means, mean, inverse

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Tensor, to_means: Tensor | None, *_: None
    ) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, inverse = ctx.saved_tensors
        sums, gates = ctx.exchange.sums, ctx.exchange.gates.flatten(1).float()
        if to_means is None:
            shift = torch.zeros_like(gates)
        else:
            shift = to_means.flatten(1).float() / (x.shape[2] * x.shape[3])
        own, from_means, _ = sums.split([2, 2, 1])
        total = torch.addcmul(gates * own, shift, from_means).sum(1)
        to_x = None
        if ctx.needs_input_grad[0]:
            parts = mean, inverse, weight, bias
            to_x = input_gradient(gradient, x, parts, total, ctx.act, ctx.owned, (gates, shift))
        to_bias, to_weight = total.unbind()
        return to_x, to_weight.to(weight.dtype), to_bias.to(bias.dtype), *[None] * 4


class _Multiply(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, handle: Tensor, gates: Tensor, exchange: Exchange, *rest: Any
    ) -> Tensor:
        *parts, act = rest
        ctx.save_for_backward(x, gates, *parts)
        ctx.act, ctx.exchange = act, exchange
        mean, inverse, weight, bias = parts
        return norm_act(x, mean, inverse, weight, bias, act, gates)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, gates, *parts = ctx.saved_tensors
        sums = torch.ops.effnet_dense.triton_norm_sums(gradient, x, *parts, ctx.act, True, None)
        # Detached: the gates' graph leads to the node that keeps the exchange.
        ctx.exchange.sums, ctx.exchange.gates = sums, gates.detach()
        to_gates = sums[4].to(gates.dtype).view_as(gates)
        return None, gradient, to_gates, *[None] * 6
