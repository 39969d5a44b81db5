"""Lean training: which outputs in a row of modules are saved for the backward pass.

Autograd keeps three copies of what lies between two convolutions: the batch norm's input, the
activation's and the next convolution's. The last two are two cheap passes away from the first.

Letters: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from effnet_dense.lean.batch_statistics import knows_statistics
from effnet_dense.lean.gated import GatedProjection, has_hooks, with_gated
from effnet_dense.lean.recompute import recomputed
from effnet_dense.models.layers import SqueezeExcite

LEVELS = (0, 1, 2)
IMAGE_CHANNELS = 3

# Bytes. Even of nothing, a second pass takes a fraction of a millisecond.
SMALL = 2**20

# In the backward pass these would draw anew.
RANDOM = (_DropoutNd, nn.RReLU)


def run(lean: int, bricks: Iterable[nn.Module | None], *inputs: Tensor) -> Tensor:
    """Run bricks one after the other, the first of them on the inputs.

    Args:
        lean: 0 leaves it to autograd what is saved; at 1 it is each convolution's output once; at
            2 the outputs of 1×1 expansions are computed again as well. Where they are smaller than
            `SMALL`, autograd may save what it likes.
        bricks: Modules that return one tensor; None is left out. One with `pieces()`, its modules
            in the order in which they run, is a row itself. Where `can_recompute` says no, they
            run plainly at any level.
        inputs: (N, C, H, W) each.
    """
    row = [brick for brick in bricks if brick is not None]
    if not lean or not can_recompute(row, inputs):
        return _one_after_the_other(with_gated(_opened(row), inputs[0]), inputs)
    for segment in segments(with_gated(chain.from_iterable(map(_pieces, row)), inputs[0]), lean):
        # Alone a module has nothing in between; one that works in place would spoil the input.
        alone, inplace = len(segment) == 1, getattr(segment[0], 'inplace', False)
        plain = alone or inplace or _widest(segment, inputs) < SMALL
        inputs = (_one_after_the_other(segment, inputs) if plain else recomputed(segment, *inputs),)
    return inputs[0]


def _widest(segment: Sequence[nn.Module], inputs: Sequence[Tensor]) -> float:
    """Bytes of the largest of a segment's inputs, or of what its expansion makes of it."""
    growth = [m.out_channels / m.in_channels for m in segment[:-1] if isinstance(m, nn.Conv2d)]
    return max(x.numel() * x.element_size() for x in inputs) * max(growth, default=1)


def _one_after_the_other(modules: Sequence[nn.Module], inputs: Sequence[Tensor]) -> Tensor:
    x = modules[0](*inputs)
    for module in modules[1:]:
        x = module(x)
    return x


def _opened(row: Sequence[nn.Module]) -> Iterator[nn.Module]:
    """The bricks, but the pieces of one behind an attention, if no hook waits for it to run."""
    for before, brick in zip([None, *row], row, strict=False):
        opens = isinstance(before, SqueezeExcite) and not has_hooks(brick)
        yield from _pieces(brick) if opens else [brick]


def _pieces(brick: nn.Module) -> list[nn.Module]:
    pieces: Callable[[], list[nn.Module]] | None = getattr(brick, 'pieces', None)
    return [brick] if pieces is None else pieces()


def segments(pieces: Sequence[nn.Module], lean: int) -> list[list[nn.Module]]:
    """Cut a row of modules behind each convolution whose output is saved."""
    cut: list[list[nn.Module]] = [[]]
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        cut[-1].append(piece)
        saved = isinstance(piece, nn.Conv2d) and not _is_repeated(piece, following, lean)
        if saved or isinstance(piece, GatedProjection):
            cut.append([])
    return [segment for segment in cut if segment]


def _is_repeated(conv: nn.Conv2d, following: nn.Module | None, lean: int) -> bool:
    """Whether a convolution is computed again.

    An image's, because it is cheap; at 2 expansions and the depthwise half of separable ones.
    """
    separable = conv.groups == conv.in_channels and isinstance(following, nn.Conv2d)
    expands = conv.kernel_size == (1, 1) and conv.out_channels > conv.in_channels
    return conv.in_channels == IMAGE_CHANNELS or (lean == 2 and (separable or expands))


def check_lean(lean: int) -> None:
    """Raise a ValueError for what is no level."""
    if isinstance(lean, bool) or lean not in LEVELS:
        raise ValueError(f'lean must be one of {LEVELS}, got {lean!r}')


def can_recompute(bricks: Sequence[nn.Module], inputs: Sequence[Tensor]) -> bool:
    """Whether bricks save anything that could be computed again, and none of them would notice.

    Nothing is saved in evaluation and without gradients. torch.compile chooses by itself what it
    computes again, and a trace shall hold the plain operators. These would notice: modules with
    hooks, which fire once; random ones; ones in training with buffers, which they would update
    twice (but batch norms are known, see `knows_statistics`); replicas of `nn.DataParallel`, whose
    parameters are not registered.
    """
    if not torch.is_grad_enabled() or not all(brick.training for brick in bricks):
        return False
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    if not any(x.requires_grad for x in inputs) and not any(
        parameter.requires_grad for brick in bricks for parameter in brick.parameters()
    ):
        return False
    known = {piece for brick in bricks for piece in _pieces(brick) if knows_statistics(piece)}
    modules = [module for brick in bricks for module in brick.modules()]
    return not any(has_hooks(m) or (m not in known and _notices(m)) for m in modules)


def _notices(module: nn.Module) -> bool:
    stateful = module.training and any(buffer is not None for buffer in module._buffers.values())
    collective = module.training and isinstance(module, nn.SyncBatchNorm)
    replica = getattr(module, '_is_replica', False)
    return stateful or collective or replica or isinstance(module, RANDOM)
