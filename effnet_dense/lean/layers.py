"""How layers run in lean training.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.dropout import _DropoutNd

from effnet_dense.lean.feature import Feature, Recomputed, in_autocast
from effnet_dense.lean.fusion import fuse
from effnet_dense.lean.gate import can_join, gates_by_linear, gates_of
from effnet_dense.lean.norm import (
    can_fuse,
    normalise,
    normalise_act,
    normalise_gated,
    supports_norm,
)
from effnet_dense.models.bifpn import Fusion
from effnet_dense.models.layers import Conv2dSame, DepthwiseConv2d, SqueezeExcite
from effnet_dense.ops.autocast import cast_operands
from effnet_dense.ops.depthwise import Padding, fast_geometry
from effnet_dense.ops.gated_conv import gated_conv2d
from effnet_dense.ops.norm_act import takes_neighbours
from effnet_dense.utils.modules import has_hooks, is_exactly

IMAGE_CHANNELS = 3

# A module, its input, the modules after it with their steps, the last one first, and the level of
# lean training → the output. A step that runs a module after it as well removes it.
Step = Callable[[Any, Feature, list[Any], int], Feature]

# Run again in the backward pass, these would draw other random numbers.
RANDOM = (_DropoutNd, nn.RReLU)
# Out of place: the gradient depends on the input.
ACTIVATIONS = {nn.SiLU: F.silu, nn.ReLU: F.relu, nn.ReLU6: F.relu6}
NAMES = {nn.SiLU: 'silu', nn.ReLU: 'relu', nn.ReLU6: 'relu6'}


def step_of(module: Any) -> Step | None:
    """Return how a layer runs; None if its second run would have a side effect.

    Side effects come from hooks, which should fire once; from random modules; from modules with
    buffers, which would be updated twice (except norms, see `supports_norm`); and from replicas of
    `nn.DataParallel`, whose parameters are not registered. Modules with children are not
    supported, except attention.
    """
    own = vars(module)
    if has_hooks(module) or '_is_replica' in own:
        return None
    step = None if 'forward' in own else STEPS.get(type(module))
    if step is _convolve and not pads_with_zeros(module):
        step = _run
    elif step is None and supports_norm(module):
        step = _normalise
    if step is not None:
        attends = step is _attend and any(has_hooks(m) for m in module.modules())
        return None if attends else step
    stateful = module._modules or any(buffer is not None for buffer in module._buffers.values())
    return None if stateful or isinstance(module, (*RANDOM, nn.SyncBatchNorm)) else _run


def start(module: Any, inputs: Sequence[Tensor]) -> Feature:
    """Run the first layer, which takes several inputs (N, C, H, W)."""
    if is_exactly(module, Fusion):
        return fuse(module, inputs)
    first, *others = inputs
    return _run_other(module, Feature(first), *others)


def _convolve(
    conv: Any, feature: Feature, rest: list[Any], level: int, is_padded: bool = False
) -> Feature:
    (x,), own, run = cast_operands(feature.x), (conv.weight, conv.bias), conv._conv_forward
    if x is not feature.x:  # autocast's copy
        feature = Feature(x, Recomputed(Tensor.to, feature.source, x.dtype))
    through = feature.through
    if is_padded:
        run, through = super(Conv2dSame, conv)._conv_forward, feature.through
    elif _is_fast(conv, x):
        through = feature.through_python
    elif isinstance(conv, Conv2dSame) and (padded := conv.pad(x)) is not x:
        feature = Feature(padded, Recomputed(conv.pad, feature.source))
        run, through = super(Conv2dSame, conv)._conv_forward, feature.through
    out = through(run, *own)
    if not _is_recomputed(conv, rest, level):
        return Feature(out)
    again = in_autocast(run, x.device.type)
    return Feature(out, Recomputed(again, feature.source, *own, bias=conv.bias))


def _is_fast(conv: Any, x: Tensor) -> bool:
    """Whether a convolution is `depthwise_conv2d`, which pads (N, C, H, W) without a copy.

    Args:
        conv: Any convolution.
        x: Its input, in autocast's dtype.
    """
    if not isinstance(conv, DepthwiseConv2d):
        return False
    padding = conv.padding_for(x)
    return fast_geometry(x, conv.weight, conv.stride, padding, conv.dilation) is not None


def _is_recomputed(conv: nn.Conv2d, rest: list[Any], level: int) -> bool:
    """Whether a convolution's output is recomputed.

    The stem's always is, because it is cheap; at level 2 also those of expansions and of the
    depthwise half of separable convolutions.
    """
    separable = conv.groups == conv.in_channels and rest and isinstance(rest[-1][0], nn.Conv2d)
    expands = conv.kernel_size == (1, 1) and conv.out_channels > conv.in_channels
    return conv.in_channels == IMAGE_CHANNELS or (level == 2 and bool(separable or expands))


def _activate(act: Any, feature: Feature, rest: list[Any], level: int) -> Feature:
    return feature.then(ACTIVATIONS[type(act)])


def _normalise(norm: Any, feature: Feature, rest: list[Any], level: int) -> Feature:
    act = NAMES[type(rest[-1][0])] if rest and rest[-1][1] is _activate else None
    if act is None or not can_fuse(norm, feature.x, act):
        return normalise(norm, feature)
    rest.pop()
    if not rest or not takes_neighbours(feature.x):
        return normalise_act(norm, feature, act, _is_inner(rest))
    module, step = rest[-1]
    if step is _attend:
        rest.pop()
        return normalise_gated(norm, feature, act, module, _is_inner(rest))
    padding = _copied_padding(module, feature.x)
    if step is not _convolve or padding is None:
        return normalise_act(norm, feature, act, _is_inner(rest))
    rest.pop()
    padded = normalise_act(norm, feature, act, True, padding)
    return _convolve(module, padded, rest, level, is_padded=True)


def _copied_padding(conv: Any, x: Tensor) -> Padding | None:
    """Return the zeros around x (N, C, H, W) for which a convolution would copy it, if any."""
    if not isinstance(conv, Conv2dSame) or getattr(conv, 'fixed', False):
        return None
    rows, columns = conv.padding_for(x)
    return (rows, columns) if any((*rows, *columns)) else None


def _is_inner(rest: list[Any]) -> bool:
    """Whether the next layer is one of those whose gradients are new tensors."""
    return bool(rest) and rest[-1][1] in (_convolve, _attend)


def _attend(se: Any, feature: Feature, rest: list[Any], level: int) -> Feature:
    if rest and can_join(se, rest[-1][0], feature.x):
        gates = gates_by_linear(se, feature.x)
        conv, _ = rest.pop()
        return Feature(feature.through_python(gated_conv2d, gates, conv.weight, conv.bias))
    return feature.then(torch.mul, gates_of(se, feature.x))


def _run(module: Any, feature: Feature, rest: list[Any], level: int) -> Feature:
    """Run any other module."""
    return _run_other(module, feature)


def _run_other(module: Any, feature: Feature, *others: Tensor) -> Feature:
    """Run a module out of place, and again with the parameters that it has now."""
    own = {name: value for name, value in module._parameters.items() if value is not None}

    def run(*tensors: Tensor) -> Tensor:
        inputs, values = tensors[: len(others) + 1], tensors[len(others) + 1 :]
        in_place = getattr(module, 'inplace', False)
        if in_place:
            module.inplace = False
        try:
            if not own:
                return module(*inputs)
            return functional_call(module, dict(zip(own, values, strict=True)), inputs)
        finally:
            if in_place:
                module.inplace = True

    again = in_autocast(run, feature.x.device.type)
    arguments = *others, *own.values()
    out = feature.through(again, *arguments)
    return Feature(out, Recomputed(again, feature.source, *arguments, bias=own.get('bias')))


def pads_with_zeros(conv: Any) -> bool:
    """Whether a convolution pads with a fixed number of zeros, or by `Conv2dSame`."""
    return conv.padding_mode == 'zeros' and not isinstance(conv.padding, str)


# By exact types: a subclass may compute something else.
STEPS: dict[type, Step] = {
    **dict.fromkeys((nn.Conv2d, Conv2dSame, DepthwiseConv2d), _convolve),
    **dict.fromkeys(ACTIVATIONS, _activate),
    SqueezeExcite: _attend,
}
