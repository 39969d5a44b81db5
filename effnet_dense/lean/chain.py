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
from effnet_dense.lean.layers import step_of
from effnet_dense.models.layers import ConvNormAct, SeparableConv, SqueezeExcite
from effnet_dense.ops.checkpoint import is_checkpointing
from effnet_dense.ops.gated_conv import gated_conv2d
from effnet_dense.utils.modules import has_hooks

SEQUENCES = (ConvNormAct, SeparableConv)  # not A | B, which torch.compile of PyTorch 2.6 lacks


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
    feature, *others = Feature(inputs[0]), *inputs[1:]
    rest = steps[::-1]
    while rest:
        module, step = rest.pop()
        feature, others = step(module, feature, rest, level, *others), []
    return feature.x


def steps_of(modules: Sequence[nn.Module]) -> list[Any] | None:
    """Return the layers of modules and how each runs; None if they should run plainly.

    Nothing is saved in eval mode or without gradients. torch.compile itself chooses what to
    recompute, a trace should contain the plain operators, and checkpointing saves less. See also
    `step_of`.
    """
    if not torch.is_grad_enabled() or not all(module.training for module in modules):
        return None
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or is_checkpointing():
        return None
    layers = [layer for module in modules for layer in _sequence(module)]
    steps = [step_of(layer) for layer in layers]
    return None if None in steps else list(zip(layers, steps, strict=True))


def _sequence(module: Any) -> Sequence[nn.Module]:
    unpacked = isinstance(module, SEQUENCES) and not has_hooks(module)
    return module.sequence() if unpacked else [module]


def _run_plainly(modules: Sequence[nn.Module], inputs: Sequence[Tensor]) -> Tensor:
    """Run modules with autograd, an attention and the projection after it as one where joined."""
    rest: list[Any] = list(modules[::-1])
    while rest:
        module = rest.pop()
        if rest and type(module) is SqueezeExcite:
            rest += reversed(_sequence(rest.pop()))
        if rest and can_join(module, rest[-1], inputs[0]):
            gates, conv = gates_by_linear(module, inputs[0]), rest.pop()
            inputs = (gated_conv2d(inputs[0], gates, conv.weight, conv.bias),)
        else:
            inputs = (module(*inputs),)
    return inputs[0]
