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

from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from effnet_dense.models.autocast import same_autocast
from effnet_dense.models.batch_statistics import (
    group_of,
    knows_statistics,
    normalise,
    normalise_again,
)
from effnet_dense.models.gated import GatedProjection
from effnet_dense.models.steps import (
    GatedStep,
    GraphStep,
    NormStep,
    Parameters,
    Step,
    call,
    gated,
    module_step,
)


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
            elif isinstance(piece.module, GatedProjection):
                x, means = gated(piece.module, own, values[0])
                statistics.append(means)
            else:
                x = call(piece.module, own, *values)
            values = [x]
        ctx.pieces, ctx.inputs, ctx.count = pieces, inputs, len(tensors)
        ctx.autocast = same_autocast(x.device.type)
        ctx.save_for_backward(*tensors, *statistics)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved, count, inputs = ctx.saved_tensors, ctx.count, ctx.inputs
        with ctx.autocast():
            steps = _again(
                ctx.pieces, saved[:count], saved[count:], inputs, ctx.needs_input_grad[2:]
            )
        before: list[Tensor | None] = [gradient]
        found: list[Tensor | None] = []
        while steps and before[0] is not None:
            # With a step goes what it keeps.
            before, own = steps.pop().backward(before[0])
            found = [*own, *found]
        # Of the steps that remain, nobody asks for gradients.
        before = [None for _ in range(inputs)] if steps else before
        rest = [None for _ in range(count - inputs - len(found))]
        return None, None, *before, *rest, *found


def _again(
    pieces: Sequence[_Piece],
    tensors: Sequence[Tensor],
    statistics: Sequence[Tensor],
    inputs: int,
    needed: Sequence[bool],
) -> list[Step]:
    """The second pass.

    Args:
        tensors: The inputs, then the pieces' parameters.
        needed: Which of them a gradient is needed of.
    """
    values, needs = tensors[:inputs], needed[:inputs]
    rest, asks, known = iter(tensors[inputs:]), iter(needed[inputs:]), iter(statistics)
    steps: list[Step] = []
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        own = dict(zip(piece.names, rest, strict=False))
        asked = [next(asks) for _ in own]
        if piece.is_norm:
            step = _norm_step(piece, values[0], own, (next(known), next(known)), needs, asked)
        elif isinstance(piece.module, GatedProjection):
            last = following is None
            step = GatedStep(piece.module, values[0], own, next(known), needs[0], asked, last)
        else:
            module = None if following is None else following.module
            step = module_step(piece.module, values, own, needs, asked, module)
        steps.append(step)
        if following is not None:
            values, needs = [step.out], [any((*needs, *asked))]
            del step.out
    return steps


def _norm_step(
    piece: _Piece,
    x: Tensor,
    own: Parameters,
    statistics: tuple[Tensor, Tensor],
    needs: Sequence[bool],
    asked: Sequence[bool],
) -> Step:
    norm, training = piece.module, piece.training
    if training and group_of(norm) is None:
        return NormStep(x, own, statistics, norm.eps, needs[0], asked)

    def run(own: Parameters, x: Tensor) -> Tensor:
        return normalise_again(norm, training, x, own.get('weight'), own.get('bias'), *statistics)

    return GraphStep(run, [x], own, needs, asked)


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
