"""A chain of layers in lean training: which of their outputs are saved for the backward pass.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from effnet_dense.lean.batch_norm import supports_recomputation
from effnet_dense.lean.gated import GatedProjection, join_gated
from effnet_dense.lean.recompute import recomputed
from effnet_dense.models.layers import ConvNormAct, SeparableConv, SqueezeExcite
from effnet_dense.utils.modules import has_hooks

LEVELS = (0, 1, 2)
IMAGE_CHANNELS = 3

# Bytes. Recomputing even a tiny segment takes a fraction of a millisecond.
MIN_BYTES = 2**20

# Recomputed in the backward pass, these would draw other random numbers.
RANDOM = (_DropoutNd, nn.RReLU)


def run_chain(level: int, layers: Iterable[nn.Module], *inputs: Tensor) -> Tensor:
    """Run layers one after the other, the first of them on the inputs.

    Args:
        level: 0 saves what autograd saves; 1 saves each convolution's output once; 2 also
            recomputes the outputs of 1×1 expansions. Segments whose features are smaller than
            `MIN_BYTES` run plainly.
        layers: Modules that return one tensor. A `ConvNormAct` or `SeparableConv` counts as the
            sequence of its own layers. If `can_recompute` is False, they run plainly.
        inputs: (N, C, H, W) each.
    """
    modules = [m for m in layers if type(m) is not nn.Identity or has_hooks(m)]
    if not level or not can_recompute(modules, inputs):
        return _run_in_order(join_gated(_unpack_after_attention(modules), inputs[0]), inputs)
    flat = chain.from_iterable(map(_sequence, modules))
    for segment in segments(join_gated(flat, inputs[0]), level):
        # A single module has nothing in between; an in-place one would overwrite the saved input.
        single, inplace = len(segment) == 1, getattr(segment[0], 'inplace', False)
        plain = single or inplace or _largest_bytes(segment, inputs) < MIN_BYTES
        inputs = (_run_in_order(segment, inputs) if plain else recomputed(segment, *inputs),)
    return inputs[0]


def _largest_bytes(segment: Sequence[nn.Module], inputs: Sequence[Tensor]) -> float:
    """Return the bytes of a segment's largest input, or of its expansion's output."""
    growth = [m.out_channels / m.in_channels for m in segment[:-1] if isinstance(m, nn.Conv2d)]
    return max(x.numel() * x.element_size() for x in inputs) * max(growth, default=1)


def _run_in_order(modules: Sequence[nn.Module], inputs: Sequence[Tensor]) -> Tensor:
    x = modules[0](*inputs)
    for module in modules[1:]:
        x = module(x)
    return x


def _unpack_after_attention(modules: Sequence[nn.Module]) -> Iterator[nn.Module]:
    """Replace a layer after an attention by its sequence, unless it has hooks."""
    for before, module in zip([None, *modules[:-1]], modules, strict=True):
        unpack = isinstance(before, SqueezeExcite) and not has_hooks(module)
        yield from _sequence(module) if unpack else [module]


def _sequence(module: nn.Module) -> list[nn.Module]:
    return module.sequence() if isinstance(module, (ConvNormAct, SeparableConv)) else [module]


def segments(layers: Sequence[nn.Module], level: int) -> list[list[nn.Module]]:
    """Cut a sequence of layers after each convolution whose output is saved."""
    cut: list[list[nn.Module]] = [[]]
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        cut[-1].append(layer)
        saved = isinstance(layer, nn.Conv2d) and not _is_recomputed(layer, following, level)
        if saved or isinstance(layer, GatedProjection):
            cut.append([])
    return [segment for segment in cut if segment]


def _is_recomputed(conv: nn.Conv2d, following: nn.Module | None, level: int) -> bool:
    """Whether a convolution's output is recomputed.

    The stem's always is, because it is cheap; at level 2 also those of expansions and of the
    depthwise half of separable convolutions.
    """
    separable = conv.groups == conv.in_channels and isinstance(following, nn.Conv2d)
    expands = conv.kernel_size == (1, 1) and conv.out_channels > conv.in_channels
    return conv.in_channels == IMAGE_CHANNELS or (level == 2 and (separable or expands))


def check_level(level: int) -> None:
    """Raise a ValueError for anything but one of `LEVELS`."""
    if isinstance(level, bool) or level not in LEVELS:
        raise ValueError(f'lean must be one of {LEVELS}, got {level!r}')


def can_recompute(modules: Sequence[nn.Module], inputs: Sequence[Tensor]) -> bool:
    """Whether recomputation would save memory and have no side effect.

    Nothing is saved in eval mode or without gradients. torch.compile itself chooses what to
    recompute, and a trace should contain the plain operators. Side effects come from hooks, which
    should fire once; from random modules; from modules in training that have buffers, which would
    be updated twice (except batch norms, see `supports_recomputation`); and from replicas of
    `nn.DataParallel`, whose parameters are not registered.
    """
    if not torch.is_grad_enabled() or not all(module.training for module in modules):
        return False
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    if not any(x.requires_grad for x in inputs) and not any(
        parameter.requires_grad for module in modules for parameter in module.parameters()
    ):
        return False
    norms = {m for module in modules for m in _sequence(module) if supports_recomputation(m)}
    inner = [m for module in modules for m in module.modules()]
    return not any(has_hooks(m) or (m not in norms and _has_side_effects(m)) for m in inner)


def _has_side_effects(module: nn.Module) -> bool:
    stateful = module.training and any(buffer is not None for buffer in module._buffers.values())
    collective = module.training and isinstance(module, nn.SyncBatchNorm)
    replica = getattr(module, '_is_replica', False)
    return stateful or collective or replica or isinstance(module, RANDOM)
