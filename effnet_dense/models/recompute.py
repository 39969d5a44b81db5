"""What is saved for the backward pass and what is computed again in it.

`recomputed` runs a few modules and keeps their input; `checkpointed` does it with a whole block,
for more time. Both leave gradients and running statistics as they are without them.

Letters: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from effnet_dense.models.autocast import as_autocast_does, same_autocast
from effnet_dense.models.batch_statistics import (
    knows_statistics,
    normalise,
    normalise_again,
)
from effnet_dense.models.depthwise import Sides, depthwise_gradients
from effnet_dense.models.layers import Conv2dSame, DepthwiseConv2d, SqueezeExcite

# Exact types: what derives from them may compute something else.
CONVOLUTIONS = (nn.Conv2d, Conv2dSame, DepthwiseConv2d)

# These write the gradient of their input into memory of its own.
FRESH = (*CONVOLUTIONS, SqueezeExcite)

Parameters = dict[str, Tensor]


def recomputed(modules: Sequence[nn.Module], *inputs: Tensor) -> Tensor:
    """Run modules one after the other, keeping the inputs and each batch norm's statistics.

    The rest is computed again in the backward pass, but for the output of a convolution at the
    end, which nobody needs there. It has no second derivative.

    Args:
        modules: The first one takes all inputs and leaves them as they are. None is random, and
            none has buffers to update, but for batch norms that `knows_statistics` accepts.
        inputs: (N, C, H, W) each.
    """
    parameters = [_parameters(module) for module in modules]
    pieces = [
        _Piece(module, list(own), knows_statistics(module), module.training)
        for module, own in zip(modules, parameters, strict=True)
    ]
    tensors = [tensor for own in parameters for tensor in own.values()]
    return _Recomputed.apply(pieces, len(inputs), *inputs, *tensors)


def _parameters(module: nn.Module) -> Parameters:
    """By name. torch's way takes as long as a small convolution, and most modules are leaves."""
    if module._modules:
        return dict(module.named_parameters())
    return {name: own for name, own in module._parameters.items() if own is not None}


@dataclass
class _Piece:
    """A module as the first pass saw it: its mode may have changed until the second."""

    module: Any
    names: list[str]
    is_norm: bool
    training: bool


class _Recomputed(Function):
    """Pieces on inputs and the pieces' parameters, in one flat row of tensors."""

    @staticmethod
    def forward(ctx: Any, pieces: list[_Piece], inputs: int, *tensors: Tensor) -> Tensor:
        # Detached: autocast is not to cache casts made here, without a gradient, for plain users
        # of the same weights (torch 2.14 does not; we ask for less).
        detached = [tensor.detach() for tensor in tensors]
        values, rest = detached[:inputs], iter(detached[inputs:])
        statistics: list[Tensor] = []
        for piece in pieces:
            own = dict(zip(piece.names, rest, strict=False))
            if piece.is_norm:
                weight, bias = own.get('weight'), own.get('bias')
                x, mean, spread = normalise(piece.module, piece.training, values[0], weight, bias)
                statistics += mean, spread
            else:
                x = _call(piece.module, own, *values)
            values = [x]
        ctx.pieces, ctx.inputs, ctx.count = pieces, inputs, len(tensors)
        ctx.autocast = same_autocast(x.device.type)
        ctx.save_for_backward(*tensors, *statistics)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        needed = ctx.needs_input_grad[2:]
        leaves = [
            tensor.detach().requires_grad_(need)
            for tensor, need in zip(saved[: ctx.count], needed, strict=True)
        ]
        with torch.enable_grad(), ctx.autocast():
            x = _again(
                ctx.pieces, leaves[: ctx.inputs], leaves[ctx.inputs :], saved[ctx.count :], gradient
            )
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        gradients = iter(torch.autograd.grad(x, wanted, gradient, allow_unused=True))
        return None, None, *(next(gradients) if need else None for need in needed)


def _again(
    pieces: list[_Piece],
    inputs: Sequence[Tensor],
    parameters: Sequence[Tensor],
    statistics: Sequence[Tensor],
    gradient: Tensor,
) -> Tensor:
    """The second pass: its output has the first one's graph, but perhaps not its values."""
    values, rest, known = list(inputs), iter(parameters), iter(statistics)
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        own = dict(zip(piece.names, rest, strict=False))
        if piece.is_norm:
            weight, bias = own.get('weight'), own.get('bias')
            x = normalise_again(
                piece.module, piece.training, values[0], weight, bias, next(known), next(known)
            )
        elif following is None and _is_plain_convolution(piece.module):
            x = _convolve_backwards(piece.module, own, values[0], gradient)
        elif type(piece.module) is nn.SiLU and following and type(following.module) in FRESH:
            x = _SiLU.apply(values[0])
        else:
            x = _call(piece.module, own, *values)
        values = [x]
    return x


def _is_plain_convolution(module: nn.Module) -> bool:
    if type(module) not in CONVOLUTIONS or 'forward' in vars(module):
        return False
    return module.padding_mode == 'zeros' and not isinstance(module.padding, str)


def _call(module: Any, own: Parameters, *inputs: Tensor) -> Tensor:
    if _is_plain_convolution(module):  # functional_call takes as long as a small convolution
        return module._conv_forward(*inputs, own['weight'], own.get('bias'))
    return functional_call(module, own, inputs) if own else module(*inputs)


class _SiLU(Function):
    """SiLU whose backward pass works in place; autograd's SiLU in place copies the input first.

    For the second pass alone, and in front of `FRESH`: nobody else has the gradient then.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return F.silu(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.silu_backward.grad_input(gradient, x, grad_input=gradient)


def _convolve_backwards(conv: Any, own: Parameters, x: Tensor, gradient: Tensor) -> Tensor:
    """A stand-in for the convolution's output, with the gradient's shape and no memory.

    Its graph is the convolution's, under autocast too.
    """
    operands = as_autocast_does(x, own['weight'], own.get('bias'))
    if isinstance(conv, DepthwiseConv2d) and conv.is_quick(operands[0]):
        return _ConvolutionBackward.apply(*operands, conv, conv.sides(x), gradient)
    if isinstance(conv, Conv2dSame):
        operands[0] = conv.pad(operands[0])
    return _ConvolutionBackward.apply(*operands, conv, None, gradient)


class _ConvolutionBackward(Function):
    """A convolution's backward pass without its forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        conv: nn.Conv2d,
        sides: Sides | None,
        like: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.conv, ctx.sides, ctx.bias = conv, sides, None if bias is None else list(bias.shape)
        return like.new_empty(()).expand_as(like)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        conv, mask = ctx.conv, ctx.needs_input_grad[:3]
        if ctx.sides is not None:
            gradients = depthwise_gradients(gradient, x, weight, ctx.sides, mask)
        else:
            gradients = torch.ops.aten.convolution_backward(
                *(gradient, x, weight, ctx.bias, conv.stride, conv.padding, conv.dilation),
                *(False, [0, 0], conv.groups, mask),
            )
        return *gradients, None, None, None


def checkpointed(block: nn.Module, x: Tensor) -> Tensor:
    """Run a block keeping its input alone; its inside is computed again in the backward pass.

    Unlike plain activation checkpointing, the second pass leaves BN's running statistics alone:
    mmdet's `with_cp` updates them twice a step.

    Args:
        x: (N, C, H, W), the block's input.
    """

    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), statistics_untouched(block)

    return checkpoint(block, x, use_reentrant=False, context_fn=contexts)


@contextmanager
def statistics_untouched(module: nn.Module) -> Iterator[None]:
    """Let batch norms in training update copies of their running statistics, then drop those."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.training]
    kept = [dict(norm.named_buffers(recurse=False)) for norm in norms]
    for norm, buffers in zip(norms, kept, strict=True):
        for name, buffer in buffers.items():
            setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            for name, buffer in buffers.items():
                setattr(norm, name, buffer)
