"""How layers run in lean training.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
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
from effnet_dense.models.activations import OUT_OF_PLACE
from effnet_dense.models.bifpn import Fusion
from effnet_dense.models.layers import Conv2dSame, DepthwiseConv2d, SqueezeExcite, channel_means
from effnet_dense.ops.autocast import cast_operand, is_any_autocast_enabled
from effnet_dense.ops.depthwise import Padding, fast_geometry
from effnet_dense.ops.gated_conv import gated_conv2d
from effnet_dense.ops.norm_act import takes_neighbours
from effnet_dense.utils.modules import has_hooks_inside

IMAGE_CHANNELS = 3

# A module, its input, the modules after it with their steps in reverse, the level of lean training,
# and a first module's other inputs → the output. A step removes later modules that it runs as well.
Step = Callable[..., Feature]

# Run again in the backward pass, these would draw other random numbers.
RANDOM = (_DropoutNd, nn.RReLU)


def step_of(module: Any) -> Step | None:
    """Return how a layer runs; None if its second run would have a side effect.

    Side effects come from hooks, which should fire once; from random modules; from modules with
    buffers, which would be updated twice (except norms, see `supports_norm`); and from replicas of
    `nn.DataParallel`, whose parameters are not registered. Modules with children are not
    supported, except attention.
    """
    own = vars(module)
    if has_hooks_inside(module) or '_is_replica' in own:
        return None
    step = None if 'forward' in own else STEPS.get(type(module))
    if step is _convolve and (module.padding_mode != 'zeros' or type(module.padding) is str):
        return _run
    if step is not None or supports_norm(module):
        return step or _normalise
    stateful = module._modules or any(buffer is not None for buffer in module._buffers.values())
    return None if stateful or isinstance(module, (*RANDOM, nn.SyncBatchNorm)) else _run


def _convolve(
    conv: Any, feature: Feature, rest: list[Any], level: int, *, is_padded: bool = False
) -> Feature:
    x, own, run = feature.x, (conv.weight, conv.bias), conv._conv_forward
    if is_any_autocast_enabled() and (x := cast_operand(x)) is not feature.x:
        feature = Feature(x, Recomputed(Tensor.to, feature.source, x.dtype))
    if not is_padded and _is_fast(conv, x):
        out = feature.through_python(run, *own)
    else:
        if isinstance(conv, Conv2dSame):
            run = super(Conv2dSame, conv)._conv_forward
            if not is_padded and (padded := conv.pad(x)) is not x:
                feature = Feature(padded, Recomputed(conv.pad, feature.source))
        out = feature.through(run, *own)
    if not _is_recomputed(conv, rest, level):
        return Feature(out)
    again = in_autocast(run, x.device.type)
    return Feature(out, Recomputed(again, feature.source, *own, bias=conv.bias))


def _is_fast(conv: Any, x: Tensor) -> bool:
    """Whether a convolution of x (N, C, H, W), in autocast's dtype, has a `fast_geometry`."""
    if not isinstance(conv, DepthwiseConv2d):
        return False
    padding = conv.padding_for(x)
    return fast_geometry(x, conv.weight, conv.stride, padding, conv.dilation) is not None


def _is_recomputed(conv: nn.Conv2d, rest: list[Any], level: int) -> bool:
    """Whether a convolution's output is recomputed.

    The stem's always is, because it is cheap; at level 2 also those of expansions and of the
    depthwise half of separable convolutions.
    """
    if level < 2 or conv.in_channels == IMAGE_CHANNELS:
        return conv.in_channels == IMAGE_CHANNELS
    separable = conv.groups == conv.in_channels and rest and isinstance(rest[-1][0], nn.Conv2d)
    expands = conv.kernel_size == (1, 1) and conv.out_channels > conv.in_channels
    return bool(separable or expands)


def _activate(act: Any, feature: Feature, rest: list[Any], level: int) -> Feature:
    return feature.then(OUT_OF_PLACE[type(act)])


def _normalise(norm: Any, feature: Feature, rest: list[Any], level: int) -> Feature:
    act = OUT_OF_PLACE[type(rest[-1][0])].__name__ if rest and rest[-1][1] is _activate else None
    if act is None or not can_fuse(norm, feature.x, act):
        return normalise(norm, feature)
    rest.pop()
    module, step = rest[-1] if rest and takes_neighbours(feature.x) else (None, None)
    if step is _attend:
        rest.pop()
        return normalise_gated(norm, feature, act, module, _is_inner(rest))
    padding = _copied_padding(module, feature.x) if step is _convolve else None
    out = normalise_act(norm, feature, act, _is_inner(rest), padding)
    if padding is None:
        return out
    rest.pop()
    return _convolve(module, out, rest, level, is_padded=True)


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
    return feature.then(torch.mul, gates_of(se, channel_means(feature.x)))


def _run(module: Any, feature: Feature, rest: list[Any], level: int, *others: Tensor) -> Feature:
    """Run any other module out of place, and again with the parameters that it has now."""
    twin, own = object.__new__(type(module)), dict(module._parameters)
    vars(twin).update(vars(module), _parameters=own, inplace=False)
    out = feature.through(twin if getattr(module, 'inplace', False) else module, *others)
    again = in_autocast(twin, feature.x.device.type)
    return Feature(out, Recomputed(again, feature.source, *others, bias=own.get('bias')))


# By exact types: a subclass may compute something else.
STEPS: dict[type, Step] = {
    **dict.fromkeys((nn.Conv2d, Conv2dSame, DepthwiseConv2d), _convolve),
    **dict.fromkeys(OUT_OF_PLACE, _activate),
    SqueezeExcite: _attend,
    Fusion: fuse,
}
