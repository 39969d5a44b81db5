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

from effnet_dense.lean.batch_statistics import (
    group_of,
    knows_statistics,
    normalise,
    normalise_again,
    statistics,
)
from effnet_dense.lean.gated import GatedProjection
from effnet_dense.lean.steps import (
    FRESH,
    GatedStep,
    GraphStep,
    NormSiluStep,
    NormStep,
    Parameters,
    Step,
    call,
    gated,
    is_plain,
    module_step,
)
from effnet_dense.ops.autocast import same_autocast
from effnet_dense.ops.fused_norm import fits, norm_silu


def recomputed(modules: Sequence[nn.Module], *inputs: Tensor) -> Tensor:
    """Run modules one after the other, keeping the inputs and each batch norm's statistics.

    The rest is computed again in the backward pass, but for the output of a convolution at the
    end, which nobody needs there. It has no second derivative.

    Args:
        modules: The first one takes all inputs and leaves them as they are. None is random, and
            none has buffers to update, but for batch norms that `knows_statistics` accepts.
        inputs: (N, C, H, W) each.
    """
    pieces: list[_Piece] = []
    tensors: list[Tensor] = []
    for module in modules:
        last = pieces[-1] if pieces else None
        if last and last.is_norm and last.act is None and is_plain(module, nn.SiLU):
            last.act = module
            continue
        own = _parameters(module)
        pieces.append(_Piece(module, list(own), knows_statistics(module), module.training))
        tensors += own.values()
    return _Recomputed.apply(pieces, len(inputs), *inputs, *tensors)


def _parameters(module: nn.Module) -> Parameters:
    """By name. torch's way takes as long as a small convolution, and most modules are leaves."""
    if module._modules:
        return dict(module.named_parameters())
    return {name: own for name, own in module._parameters.items() if own is not None}


@dataclass
class _Piece:
    """A module as the first pass saw it: its mode may have changed until the second.

    Attributes:
        act: The SiLU behind a norm.
    """

    module: Any
    names: list[str]
    is_norm: bool
    training: bool
    act: nn.Module | None = None

    def is_fused(self, x: Tensor, own: Parameters) -> bool:
        """Whether norm and activation run as one."""
        if self.act is None or not self.training or group_of(self.module) is not None:
            return False
        return fits(x, own.get('weight'), own.get('bias'))


class _Recomputed(Function):
    """Pieces on inputs and the pieces' parameters, in one flat row of tensors."""

    @staticmethod
    def forward(ctx: Any, pieces: list[_Piece], inputs: int, *tensors: Tensor) -> Tensor:
        # Detached: autocast is not to cache casts made here, without a gradient, for plain users
        # of the same weights (torch 2.14 does not; we ask for less).
        detached = [tensor.detach() for tensor in tensors]
        values, rest = detached[:inputs], iter(detached[inputs:])
        known: list[Tensor] = []
        for piece in pieces:
            own = dict(zip(piece.names, rest, strict=False))
            if piece.is_norm:
                x, *found = _normalised(piece, values[0], own)
                known += found
            elif isinstance(piece.module, GatedProjection):
                x, means = gated(piece.module, own, values[0])
                known.append(means)
            else:
                x = call(piece.module, own, *values)
            values = [x]
        ctx.pieces, ctx.inputs, ctx.count = pieces, inputs, len(tensors)
        ctx.autocast = same_autocast(x.device.type)
        ctx.save_for_backward(*tensors, *known)
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
    found: Sequence[Tensor],
    inputs: int,
    needed: Sequence[bool],
) -> list[Step]:
    """The second pass.

    Args:
        tensors: The inputs, then the pieces' parameters.
        found: By the first pass, in its order.
        needed: Which of them a gradient is needed of.
    """
    values, needs = tensors[:inputs], needed[:inputs]
    rest, asks, known = iter(tensors[inputs:]), iter(needed[inputs:]), iter(found)
    steps: list[Step] = []
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        own = dict(zip(piece.names, rest, strict=False))
        asked = [next(asks) for _ in own]
        module = None if following is None else following.module
        if piece.is_norm:
            pair = next(known), next(known)
            steps += _norm_steps(piece, values[0], own, pair, needs[0], asked, module)
        elif isinstance(piece.module, GatedProjection):
            means, last = next(known), following is None
            steps.append(GatedStep(piece.module, values[0], own, means, needs[0], asked, last))
        else:
            steps.append(module_step(piece.module, values, own, needs, asked, module))
        if following is not None:
            values, needs = [steps[-1].out], [any((*needs, *asked))]
            del steps[-1].out
    return steps


def _normalised(piece: _Piece, x: Tensor, own: Parameters) -> tuple[Tensor, Tensor, Tensor]:
    """A norm with the activation behind it; and what the second pass has to know."""
    norm, weight, bias = piece.module, own.get('weight'), own.get('bias')
    if piece.is_fused(x, own):
        mean, inverse = statistics(norm, x)
        return norm_silu(x, mean, inverse, own['weight'], own['bias']), mean, inverse
    x, mean, spread = normalise(norm, piece.training, x, weight, bias)
    return x if piece.act is None else piece.act(x), mean, spread


def _norm_steps(
    piece: _Piece,
    x: Tensor,
    own: Parameters,
    found: tuple[Tensor, Tensor],
    needed: bool,
    asked: Sequence[bool],
    following: nn.Module | None,
) -> list[Step]:
    """The same again, by what the first pass `found`."""
    norm, training = piece.module, piece.training
    if piece.is_fused(x, own):
        fresh = type(following) in FRESH
        return [NormSiluStep(x, own, found, norm.eps, needed, asked, fresh=fresh)]
    step: Step
    if training and group_of(norm) is None:
        step = NormStep(x, own, found, norm.eps, needed, asked)
    else:

        def run(own: Parameters, x: Tensor) -> Tensor:
            return normalise_again(norm, training, x, own.get('weight'), own.get('bias'), *found)

        step = GraphStep(run, [x], own, [needed], asked)
    if piece.act is None:
        return [step]
    needs = [needed or any(asked)]
    act = module_step(piece.act, [step.out], {}, needs, [], following)
    del step.out
    return [step, act]


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
