"""A chain of layers in lean training: which of their outputs are saved for the backward pass.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from effnet_dense.lean.feature import Feature
from effnet_dense.lean.gate import can_join, gates_by_linear
from effnet_dense.lean.layers import Step, start, step_of
from effnet_dense.models.layers import ConvNormAct, SeparableConv, SqueezeExcite
from effnet_dense.ops.checkpoint import is_checkpointing
from effnet_dense.ops.gated_conv import gated_conv2d
from effnet_dense.utils.modules import has_hooks

LEVELS = (0, 1, 2)
SEQUENCES = (ConvNormAct, SeparableConv)  # not A | B, which torch.compile of PyTorch 2.6 lacks


def check_level(level: int) -> None:
    """Raise a ValueError for anything but one of `LEVELS`."""
    if isinstance(level, bool) or level not in LEVELS:
        raise ValueError(f'lean must be one of {LEVELS}, got {level!r}')


def run_chain(level: int, layers: Iterable[nn.Module], *inputs: Tensor) -> Tensor:
    """Run layers one after the other, the first of them on the inputs.

    Args:
        level: 0 saves what autograd saves; 1 saves each convolution's output once; 2 also
            recomputes the outputs of 1×1 expansions.
        layers: Modules that return one tensor. A `ConvNormAct` or `SeparableConv` counts as the
            sequence of its own layers. Without `steps_of` them they run plainly.
        inputs: (N, C, H, W) each.
    """
    modules = [m for m in layers if type(m) is not nn.Identity or has_hooks(m)]
    steps = steps_of(modules) if level else None
    if steps is None:
        return _run_plainly(modules, inputs)
    rest = steps[::-1]
    feature = Feature(inputs[0]) if len(inputs) == 1 else start(rest.pop()[0], inputs)
    while rest:
        module, step = rest.pop()
        feature = step(module, feature, rest, level)
    return feature.x


def steps_of(modules: Sequence[nn.Module]) -> list[tuple[nn.Module, Step]] | None:
    """Return the layers of modules and how each runs; None if they should run plainly.

    Nothing is saved in eval mode or without gradients. torch.compile itself chooses what to
    recompute, a trace should contain the plain operators, and checkpointing saves less. See also
    `step_of`.
    """
    if not torch.is_grad_enabled() or not all(module.training for module in modules):
        return None
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or is_checkpointing():
        return None
    steps: list[tuple[nn.Module, Step]] = []
    for module in modules:
        for layer in _sequence(module):
            step = step_of(layer)
            if step is None:
                return None
            steps.append((layer, step))
    return steps


def _sequence(module: Any) -> Sequence[nn.Module]:
    unpacked = isinstance(module, SEQUENCES) and not has_hooks(module)
    return module.sequence() if unpacked else [module]


def _run_plainly(modules: Sequence[nn.Module], inputs: Sequence[Tensor]) -> Tensor:
    """Run modules with autograd, an attention and the projection after it as one where joined."""
    rest = _unpack_after_attention(modules)[::-1]
    while rest:
        module = rest.pop()
        if rest and can_join(module, rest[-1], inputs[0]):
            gates, conv = gates_by_linear(module, inputs[0]), rest.pop()
            inputs = (gated_conv2d(inputs[0], gates, conv.weight, conv.bias),)
        else:
            inputs = (module(*inputs),)
    return inputs[0]


def _unpack_after_attention(modules: Sequence[nn.Module]) -> list[Any]:
    """Replace a layer after an attention by its sequence."""
    unpacked: list[Any] = []
    for before, module in zip([None, *modules[:-1]], modules, strict=True):
        unpacked += _sequence(module) if type(before) is SqueezeExcite else [module]
    return unpacked
