"""Batch norm in lean training, with what follows it where both are one operator.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from effnet_dense.lean.feature import Feature, Recomputed
from effnet_dense.lean.gate import gates_of
from effnet_dense.ops import gated_norm, norm_act
from effnet_dense.ops.batch_norm import FORWARDS, apply_statistics, batch_norm, group_of
from effnet_dense.ops.depthwise import Padding
from effnet_dense.ops.sync_batch_norm import sync_batch_norm


def supports_norm(norm: Any) -> bool:
    """Whether this is a batch norm whose statistics can be used again.

    Not supported are cumulative statistics (momentum None) and norms without running statistics.
    """
    if not isinstance(norm, _BatchNorm) or type(norm).forward not in FORWARDS:
        return False
    if norm._buffers.get('running_mean') is None or not norm.track_running_stats:
        return False
    return norm.momentum is not None or not norm.training


def normalise(norm: Any, feature: Feature) -> Feature:
    """Run a norm that `supports_norm` accepts."""
    if not norm.training:
        own = norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps
        return feature.then(F.batch_norm, *own)
    weight, bias, group = norm.weight, norm.bias, group_of(norm)
    if group is None:
        out, *statistics = feature.through(batch_norm, weight, bias, norm)
    else:
        out, *statistics = feature.through_python(sync_batch_norm, weight, bias, norm, group)
    again = Recomputed(apply_statistics, feature.source, weight, bias, *statistics, bias=bias)
    return Feature(out, again)


def can_fuse(norm: Any, x: Tensor, act: str) -> bool:
    """Whether a norm, which `supports_norm` accepts, and an activation can be one operator."""
    if not norm.training or not norm_act.supports(x, norm.weight, norm.bias, act):
        return False
    return group_of(norm) is None


def normalise_act(
    norm: Any, feature: Feature, act: str, inner: bool, padding: Padding | None = None
) -> Feature:
    """Run a norm in training and an activation as one operator.

    Args:
        norm: A norm that `can_fuse` accepts.
        feature: Its input.
        act: The activation.
        inner: Whether only lean training's own layers read the output. Their gradients are new
            tensors, which may be overwritten.
        padding: Zeros around the output, only if `takes_neighbours`.
    """
    parts = norm.weight, norm.bias
    run = norm_act.norm_act_in_training
    out, *statistics = feature.through_python(run, *parts, norm, act, inner, padding)
    own = *statistics, *parts, act, None, padding
    return Feature(out, Recomputed(norm_act.norm_act, feature.source, *own))


def normalise_gated(norm: Any, feature: Feature, act: str, se: Any, inner: bool) -> Feature:
    """Run a norm in training, an activation and an attention; otherwise see `normalise_act`."""
    parts, exchange = (norm.weight, norm.bias), gated_norm.Exchange()
    handle, means, *statistics = feature.through_python(
        gated_norm.squeeze, *parts, norm, act, exchange, inner
    )
    gates, own = gates_of(se, means), (*statistics, *parts, act)
    multiply = partial(gated_norm.multiply, exchange=exchange)
    out = feature.through_python(multiply, handle, gates, *own)
    return Feature(out, Recomputed(norm_act.norm_act, feature.source, *own, gates))
