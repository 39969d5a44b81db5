"""Grouped averages: mmengine's and mmdet's, to the bit, in a few calls."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmdet.models.layers.ema import ExpMomentumEMA
from mmengine.hooks import EMAHook
from mmengine.model import (
    ExponentialMovingAverage,
    MomentumAnnealingEMA,
    StochasticWeightAverage,
)
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from effnet_dense.engine.hooks.averages import TWO_ROUNDINGS, GroupedAveragesHook, update_averages

KINDS = [
    (ExponentialMovingAverage, dict(momentum=0.1)),
    (ExponentialMovingAverage, dict(momentum=0.1, interval=2)),
    (ExponentialMovingAverage, dict(momentum=0.3, update_buffers=True)),
    (MomentumAnnealingEMA, dict(momentum=0.01, gamma=3)),
    (ExpMomentumEMA, dict(momentum=0.0002, gamma=5, update_buffers=True)),
    (ExpMomentumEMA, dict(momentum=0.0002)),
]


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [
        layer for _ in range(3) for layer in (nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3))
    ]
    return nn.Sequential(*layers).double().float()


@pytest.mark.parametrize('kind, arguments', KINDS)
def test_bits_are_those_of_the_libraries(kind: Any, arguments: dict[str, Any]) -> None:
    model = network()
    theirs, ours = kind(model, **arguments), kind(model, **arguments)
    for step in range(6):
        torch.manual_seed(step)
        model(torch.randn(2, 3, 8, 8))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        theirs.update_parameters(model)
        update_averages(ours, model)
    expected, found = theirs.state_dict(), ours.state_dict()
    assert list(expected) == list(found)
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert int(found['steps']) == 6


class Calls(TorchDispatchMode):
    """Counts operators that write tensors of the averages."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_calls_do_not_grow_with_the_tensors() -> None:
    counts = []
    for layers in (1, 20):
        model = nn.Sequential(*(nn.BatchNorm2d(2) for _ in range(layers)))
        averages = ExpMomentumEMA(model, update_buffers=True)
        averages.update_parameters(model)
        with Calls() as calls:
            update_averages(averages, model)
        counts.append(sum('foreach' in name for name in calls.names))
        assert not any(name.startswith(('aten.mul_', 'aten.lerp_')) for name in calls.names)
    assert counts == [1 + TWO_ROUNDINGS] * 2


def test_the_hook_replaces_the_known_kinds() -> None:
    model = network()
    hooks = []
    for kind in ('ExponentialMovingAverage', 'StochasticWeightAverage'):
        hook = EMAHook(kind)
        hook.before_run(SimpleNamespace(model=model))
        hooks.append(hook)
    GroupedAveragesHook().before_run(SimpleNamespace(hooks=hooks))  # type: ignore[arg-type]
    grouped, other = (hook.ema_model.update_parameters for hook in hooks)
    assert grouped.func is update_averages
    assert other.__func__ is StochasticWeightAverage.update_parameters
    grouped(model)
    assert int(hooks[0].ema_model.steps) == 1
