"""Batch norm in training and the SiLU after it as one operator on CPUs, and their gradients.

PyTorch's separate operators read and write an expanded feature, the largest of a network, seven
times more often, and PyTorch's exponential is a function call for every vector. These operators are
compiled from C++ on machines with a compiler; their results equal PyTorch's bit for bit.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, library
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.utils._python_dispatch import _disable_current_modes

from effnet_dense.ops import native
from effnet_dense.ops.batch_norm import Normed, apply_statistics, batch_statistics

SOURCE = Path(__file__).with_suffix('.cpp')

# Of channels: PyTorch's build rounds a remainder of fewer than eight differently.
MULTIPLE = 8


def supports(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> bool:
    """Whether the operators support a feature (N, C, H, W) and a norm's parameters (C,)."""
    return (
        x.device.type == 'cpu'
        and weight is not None
        and bias is not None
        and all(tensor.dtype == torch.float32 for tensor in (x, weight, bias))
        and weight.is_contiguous()
        and bias.is_contiguous()
        and _is_channels_last(x)
        and x.numel() > x.shape[1]
        and x.shape[1] % MULTIPLE == 0
        and is_available()
    )


def supports_gradient(gradient: Tensor) -> bool:
    """Whether the backward operator supports the output's gradient (N, C, H, W)."""
    return gradient.dtype == torch.float32 and _is_channels_last(gradient)


def _is_channels_last(x: Tensor) -> bool:
    """Whether x is channels-last only; PyTorch sums in another order if also contiguous."""
    by_channels = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return by_channels and not x.is_contiguous()


def norm_silu(x: Tensor, mean: Tensor, inverse: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """SiLU((x − mean) ÷ σ · weight + bias), for inputs that `supports` accepts.

    Args:
        x: (N, C, H, W).
        mean: (C,), in float32, as are all others.
        inverse: (C,), 1 ÷ σ.
        weight: (C,), like bias.

    Returns:
        (N, C, H, W).
    """
    return torch.ops.effnet_dense.norm_silu(x, mean, inverse, weight, bias)


def norm_silu_backward(
    gradient: Tensor,
    x: Tensor,
    mean: Tensor,
    inverse: Tensor,
    weight: Tensor,
    bias: Tensor,
    to_x: Tensor,
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of `norm_silu`, with mean and σ as functions of x.

    Args:
        gradient: (N, C, H, W), the output's.
        to_x: (N, C, H, W), receives x's gradient; it may be `gradient` itself.

    Returns:
        The gradients of weight and bias, (C,) each.
    """
    return torch.ops.effnet_dense.norm_silu_backward(gradient, x, mean, inverse, weight, bias, to_x)


def norm_silu_in_training(
    x: Tensor, weight: Tensor, bias: Tensor, norm: Any, owned: bool
) -> Normed:
    """Normalise by the batch's statistics, update the running ones, and activate, with autograd.

    Args:
        x: (N, C, H, W).
        weight: (C,), like bias.
        norm: The batch norm in training.
        owned: Whether the output's gradient will be nobody else's, and may be overwritten.

    Returns:
        The output, and mean and 1 ÷ σ, (C,) each.
    """
    return _NormSilu.apply(x, weight, bias, norm, owned)


class _NormSilu(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: Any, owned: bool
    ) -> Normed:
        mean, inverse = batch_statistics(x, norm)
        ctx.save_for_backward(x, weight, bias, mean, inverse)
        ctx.eps, ctx.owned = norm.eps, owned
        ctx.mark_non_differentiable(mean, inverse)
        ctx.set_materialize_grads(False)
        return norm_silu(x, mean, inverse, weight, bias), mean, inverse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: None) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, inverse = ctx.saved_tensors
        if not supports_gradient(gradient):
            normed = apply_statistics(x, weight, bias, mean, inverse)
            gradient = torch.ops.aten.silu_backward(gradient, normed)
            found = torch.ops.aten.native_batch_norm_backward(
                gradient, x, weight, None, None, mean, inverse, True, ctx.eps, [True] * 3
            )
            return *found, None, None
        to_x = gradient if ctx.owned else torch.empty_like(gradient)
        found = norm_silu_backward(gradient, x, mean, inverse, weight, bias, to_x)
        return to_x, *found, None, None


@cache
def is_available() -> bool:
    """Whether the operators could be compiled and equal this build of PyTorch bit for bit."""
    with _disable_current_modes(), torch.no_grad():
        return native.is_compiled(SOURCE) and _matches_pytorch()


def _matches_pytorch() -> bool:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float32, device='cpu')

    # Enough pixels for two threads; the last channels do not fill a vector of sixteen, and a
    # thread's share does not fill pairs of vectors.
    x, gradient = (
        normal(2, 24, 37, 29).contiguous(memory_format=torch.channels_last) for _ in range(2)
    )
    x, weight, bias = 8 * x + 1, normal(24), normal(24)
    normed, mean, inverse = torch.native_batch_norm(x, weight, bias, None, None, True, 0.1, 1e-3)
    to_normed = torch.ops.aten.silu_backward(gradient, normed)
    expected = (
        F.silu(normed),
        *torch.ops.aten.native_batch_norm_backward(
            to_normed, x, weight, None, None, mean, inverse, True, 1e-3, [True, True, True]
        ),
    )
    inputs = (x, mean, inverse, weight, bias)
    results = norm_silu(*inputs), gradient, *norm_silu_backward(gradient, *inputs, gradient)
    return all(torch.equal(a, b) for a, b in zip(results, expected, strict=True))


def _check(features: tuple[Tensor, ...], parameters: tuple[Tensor, ...]) -> None:
    """Validate before the C++ source reads raw memory."""
    channels = features[0].shape[1]
    for tensor in features:
        if not supports_gradient(tensor) or tensor.shape != features[0].shape:
            raise ValueError(
                f'expected features {tuple(features[0].shape)} in float32 and channels-last, got '
                f'{tuple(tensor.shape)} in {tensor.dtype} with strides {tensor.stride()}'
            )
    for tensor in parameters:
        if tensor.shape != (channels,) or tensor.dtype != torch.float32 or tensor.stride() != (1,):
            raise ValueError(
                f'expected parameters ({channels},) in float32, got {tuple(tensor.shape)} in '
                f'{tensor.dtype} with strides {tensor.stride()}'
            )


def _run(name: str, *tensors: Tensor) -> None:
    x = tensors[0]
    run = native.function(SOURCE, name, pointers=len(tensors), sizes=2)
    run(*(tensor.data_ptr() for tensor in tensors), x.numel() // x.shape[1], x.shape[1])


def _norm_silu(x: Tensor, *parameters: Tensor) -> Tensor:
    _check((x,), parameters)
    out = torch.empty_like(x)
    _run('norm_silu', x, *parameters, out)
    return out


def _norm_silu_backward(
    gradient: Tensor, x: Tensor, *parameters_and_to_x: Tensor
) -> tuple[Tensor, Tensor]:
    *parameters, to_x = parameters_and_to_x
    _check((gradient, x, to_x), tuple(parameters))
    found = torch.empty_like(parameters[0]), torch.empty_like(parameters[0])
    _run('norm_silu_backward', gradient, x, *parameters, to_x, *found)
    return found


OPERATOR = 'effnet_dense::norm_silu'
PARAMETERS = 'Tensor mean, Tensor inverse, Tensor weight, Tensor bias'
library.define(OPERATOR, f'(Tensor x, {PARAMETERS}) -> Tensor')
library.impl(OPERATOR, 'cpu', _norm_silu)
library.register_fake(OPERATOR, lambda x, *_: torch.empty_like(x))
library.define(
    f'{OPERATOR}_backward',
    f'(Tensor gradient, Tensor x, {PARAMETERS}, Tensor(a!) to_x) -> (Tensor, Tensor)',
)
library.impl(f'{OPERATOR}_backward', 'cpu', _norm_silu_backward)
library.register_fake(
    f'{OPERATOR}_backward',
    lambda gradient, x, mean, *_: (torch.empty_like(mean), torch.empty_like(mean)),
)
