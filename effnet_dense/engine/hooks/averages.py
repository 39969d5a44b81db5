"""Average weights (EMA) with a few kernels a step, where mmengine starts one or two per tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from mmdet.models.layers.ema import ExpMomentumEMA
from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseAveragedModel, ExponentialMovingAverage, MomentumAnnealingEMA
from mmengine.runner import Runner
from torch import Tensor, nn

from effnet_dense.engine.joined_buffers import JoinedBuffers, join_buffers

MOVING = (
    ExponentialMovingAverage.avg_func,
    MomentumAnnealingEMA.avg_func,
    ExpMomentumEMA.avg_func,
)
"""Rules that are average ← (1 − momentum) · average + momentum · weight."""

TWO_ROUNDINGS = 'lerp_' not in ExpMomentumEMA.avg_func.__code__.co_names
"""Whether this version of mmdet computes both products apart; OneDL's interpolates in one step."""


class GroupedAveragesHook(Hook):
    """Update the averages of `EMAHook` by `update_averages`; other kinds of averages stay."""

    priority = 'NORMAL'

    def before_run(self, runner: Runner) -> None:
        """Replace `update_parameters` of the averaged models that EMAHooks have built."""
        for hook in runner.hooks:
            if not isinstance(hook, EMAHook) or not hasattr(hook, 'ema_model'):
                continue
            averages = hook.ema_model
            plain = type(averages).update_parameters is BaseAveragedModel.update_parameters
            if plain and type(averages).avg_func in MOVING:
                joined = join_buffers(averages, hook.src_model) if averages.update_buffers else ()
                averages.update_parameters = partial(update_averages, averages, joined=joined)


def update_averages(averages: Any, model: nn.Module, joined: Sequence[JoinedBuffers] = ()) -> None:
    """Update averages as `BaseAveragedModel.update_parameters` does, in groups of tensors.

    On the CPU the results are mmengine's to the bit; elsewhere they differ by rounding.

    Args:
        averages: One of mmengine's or mmdet's moving averages.
        model: The model whose weights are averaged.
        joined: Buffers of both that are averaged together.
    """
    tensors: dict[str, Tensor] = averages.avg_parameters
    current = model.state_dict() if averages.update_buffers else dict(model.named_parameters())
    together = [each for each in joined if each.holds(tensors, current)]
    done = {name for each in together for name in each.names}
    pairs = [(kept.data, current[name].data) for name, kept in tensors.items() if name not in done]
    pairs += [(each.average, each.current) for each in together]
    if averages.steps == 0:
        _copy(pairs)
    elif averages.steps % averages.interval == 0:
        _average([pair for pair in pairs if pair[0].dtype.is_floating_point], averages)
    if not averages.update_buffers:
        buffers = zip(averages.module.buffers(), model.buffers(), strict=True)
        _copy([(kept.data, buffer.data) for kept, buffer in buffers])
    averages.steps += 1


def momentum_of(averages: Any) -> float:
    """Return the share of the current weights in this step's averages."""
    steps = int(averages.steps)
    if isinstance(averages, ExpMomentumEMA):
        decay = math.exp(-float(1 + steps) / averages.gamma)
        return float((1 - averages.momentum) * decay + averages.momentum)
    if isinstance(averages, MomentumAnnealingEMA):
        return max(averages.momentum, averages.gamma / (averages.gamma + steps))
    return float(averages.momentum)


def _average(pairs: list[tuple[Tensor, Tensor]], averages: Any) -> None:
    """Move averages towards the weights."""
    momentum = momentum_of(averages)
    for kept, current in _groups(pairs):
        on_cpu = kept[0].device.type == 'cpu'
        if TWO_ROUNDINGS and on_cpu and isinstance(averages, ExpMomentumEMA):
            torch._foreach_mul_(kept, 1 - momentum)
            torch._foreach_add_(kept, current, alpha=momentum)
        else:
            torch._foreach_lerp_(kept, current, momentum)


def _copy(pairs: list[tuple[Tensor, Tensor]]) -> None:
    for to, source in _groups(pairs):
        torch._foreach_copy_(to, source)


def _groups(pairs: list[tuple[Tensor, Tensor]]) -> list[tuple[list[Tensor], list[Tensor]]]:
    """Group pairs by type and device, and move the second ones to the first ones' device."""
    groups: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
    for to, source in pairs:
        kept, current = groups.setdefault((to.dtype, to.device), ([], []))
        kept.append(to)
        current.append(source.to(to.device))
    return list(groups.values())
