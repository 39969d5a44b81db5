"""Batch norm in training and the activation after it as few passes on CUDA, by Triton's kernels.

PyTorch's separate operators read and write the normalised feature, and their gradients do so again.
Here it exists in registers only: the backward pass computes the activation's derivative from x and
the statistics.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.utils._python_dispatch import _disable_current_modes

from effnet_dense.ops import triton_norm_operators  # noqa: F401 (registers torch.ops.effnet_dense)
from effnet_dense.ops.batch_norm import Normed
from effnet_dense.ops.depthwise import Padding

ACTIVATIONS = ('none', 'relu', 'relu6', 'silu')
DEVICES = ('cuda',)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
SMALLEST = 2**20  # values; assumed, not measured: below, kernels take longer to start than to run

Parts = tuple[Tensor, Tensor, Tensor, Tensor]  # mean, 1 ÷ σ, weight, bias, (C,) each


def supports(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> bool:
    """Whether the operators support a feature (N, C, H, W) and a norm's parameters (C,)."""
    return (
        x.device.type in DEVICES
        and weight is not None
        and bias is not None
        and all(tensor.dtype in DTYPES for tensor in (x, weight, bias))
        and weight.is_contiguous()
        and bias.is_contiguous()
        and x.dim() == 4
        and x.numel() >= SMALLEST
        and x.numel() > x.shape[1]
        and (x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last))
        and is_available(x.device, x.dtype)
    )


def norm_act(
    x: Tensor,
    mean: Tensor,
    inverse: Tensor,
    weight: Tensor,
    bias: Tensor,
    act: str,
    gate: Tensor | None = None,
    padding: Padding | None = None,
) -> Tensor:
    """act((x − mean) ÷ σ · weight + bias) · gate, for inputs that `supports` accepts.

    Args:
        x: (N, C, H, W).
        mean: (C,), like weight and bias.
        inverse: (C,), 1 ÷ σ.
        act: One of `ACTIVATIONS`.
        gate: (N, C, 1, 1).
        padding: Zeros around the result.

    Returns:
        (N, C, H, W), and the padding.
    """
    parts = mean, inverse, weight, bias
    return torch.ops.effnet_dense.triton_norm_act(x, *parts, act, gate, _flat(padding))


def _flat(padding: Padding | None) -> list[int] | None:
    return None if padding is None else [*padding[0], *padding[1]]


def norm_act_in_training(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    norm: Any,
    act: str,
    owned: bool,
    padding: Padding | None = None,
) -> Normed:
    """Do what `norm_act.norm_act_in_training` does, for inputs that `supports` accepts."""
    return _NormAct.apply(x, weight, bias, norm, act, owned, padding)


def statistics(x: Tensor, norm: Any) -> tuple[Tensor, Tensor]:
    """Return mean and 1 ÷ σ, (C,) each, and update the running statistics."""
    norm.num_batches_tracked.add_(1)
    return torch.ops.effnet_dense.triton_norm_statistics(
        x, norm.running_mean, norm.running_var, norm.momentum, norm.eps
    )


def input_gradient(
    gradient: Tensor,
    x: Tensor,
    parts: Parts,
    sums: Tensor,
    act: str,
    owned: bool,
    gate_and_shift: tuple[Tensor | None, Tensor | None] = (None, None),
    padding: Padding | None = None,
) -> Tensor:
    """Compute x's gradient, in the place of the output's if that is owned and fits.

    Args:
        gradient: (N, C, H, W), the output's.
        x: (N, C, H, W).
        parts: mean, 1 ÷ σ, weight and bias.
        sums: (2, C): the gradients of bias and weight.
        act: One of `ACTIVATIONS`.
        owned: Whether `gradient` may be overwritten.
        gate_and_shift: (N, C) each: the activation's gradient is gradient · gate + shift.
        padding: Zeros around the output.
    """
    # A padded gradient has other strides.
    fits = owned and gradient.dtype == x.dtype and gradient.stride() == x.stride()
    to_x = gradient if fits else torch.empty_like(x)
    torch.ops.effnet_dense.triton_norm_input_gradient(
        gradient, x, *parts, sums, *gate_and_shift, to_x, act, _flat(padding)
    )
    return to_x


class _NormAct(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: Any, act: str, *rest: Any
    ) -> Normed:
        mean, inverse = statistics(x, norm)
        ctx.save_for_backward(x, weight, bias, mean, inverse)
        ctx.act, (ctx.owned, ctx.padding) = act, rest
        ctx.mark_non_differentiable(mean, inverse)
        ctx.set_materialize_grads(False)
        out = norm_act(x, mean, inverse, weight, bias, act, None, ctx.padding)
        return out, mean, inverse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: None) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, inverse = ctx.saved_tensors
        parts = mean, inverse, weight, bias
        rest = ctx.act, False, _flat(ctx.padding)
        sums = torch.ops.effnet_dense.triton_norm_sums(gradient, x, *parts, *rest)
        to_x = None
        if ctx.needs_input_grad[0]:
            known = gradient, x, parts, sums, ctx.act, ctx.owned
            to_x = input_gradient(*known, padding=ctx.padding)
        to_bias, to_weight = sums.unbind()
        return to_x, to_weight.to(weight.dtype), to_bias.to(bias.dtype), *[None] * 4


def is_installed() -> bool:
    """Whether there is a package triton."""
    try:
        return find_spec('triton') is not None
    except ValueError:  # an imported module without __spec__, which stands in for it
        return False


@cache
def is_available(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether Triton is installed, and its kernels run on a device and agree with PyTorch."""
    if not is_installed() or (device.type == 'cuda' and not torch.cuda.is_available()):
        return False
    try:
        with _disable_current_modes(), torch.no_grad():
            agrees = _agrees_with_pytorch(device, dtype)
        reason = 'their results differ from those of PyTorch'
    except Exception as error:  # whatever Triton, its compiler and the driver raise
        agrees, reason = False, f'{type(error).__name__}: {str(error).partition(chr(10))[0]}'
    if not agrees:
        message = f'Triton kernels are not used for {dtype} on {device}, training is slower'
        print_log(f'{message}: {reason}', 'current', logging.WARNING)
    return agrees


def _agrees_with_pytorch(device: torch.device, dtype: torch.dtype) -> bool:
    """Compare a small forward and backward pass with PyTorch's in float64 on the CPU."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64, device='cpu')

    norm = torch.nn.BatchNorm2d(24, device='cpu', dtype=torch.float64)
    x, gradient = normal(2, 24, 9, 7) + 1, normal(2, 24, 9, 7)
    ours = _gradients(norm.to(device, torch.float32), x.to(device, dtype), gradient, _run_own)
    right = _gradients(norm.to('cpu', torch.float64), x, gradient, _run_pytorchs)
    bound = 1e-4 if dtype == torch.float32 else 3e-2
    return all(
        (a.to('cpu', torch.float64) - b).abs().max() <= bound * b.abs().max()
        for a, b in zip(ours, right, strict=True)
    )


def _run_own(norm: Any, x: Tensor) -> Tensor:
    return norm_act_in_training(x, norm.weight, norm.bias, norm, 'silu', False)[0]


def _run_pytorchs(norm: Any, x: Tensor) -> Tensor:
    return torch.nn.functional.silu(norm(x))


def _gradients(norm: Any, x: Tensor, gradient: Tensor, run: Any) -> list[Tensor]:
    norm.reset_running_stats()
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.enable_grad():
        out = run(norm, x)
    found = torch.autograd.grad(out, [x, norm.weight, norm.bias], gradient.to(out))
    return [out.detach(), *found, norm.running_mean.clone(), norm.running_var.clone()]
