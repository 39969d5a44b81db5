"""Ends of schedules against the end of the training."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from mmengine.optim.scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolyLR,
)

from effnet_dense.engine.checks.schedule import check_factors, flat, schedule_warnings


def build(kind: Any, **arguments: Any) -> Any:
    """A schedule of one parameter's rate."""
    return kind(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0), **arguments)


def warm_up(end: int = 500) -> Any:
    """mmdet's."""
    return build(LinearLR, start_factor=0.001, by_epoch=False, begin=0, end=end)


def steps(end: int = 12) -> Any:
    """mmdet's 1x schedule."""
    return build(MultiStepLR, milestones=[8, 11], end=end)


@pytest.mark.parametrize(
    ('schedulers', 'epochs', 'iterations'),
    [
        ([warm_up(), steps()], 12, 12000),
        ([warm_up()], 12, 12000),
        ([build(PolyLR, by_epoch=False, end=80000)], 1, 80000),
        ([build(CosineAnnealingLR, T_max=10, end=12, begin=2)], 12, 120),
        ([steps(10), build(ConstantLR, factor=1.0, begin=10, end=12), steps()], 12, 120),
        ([build(OneCycleLR, eta_max=1.0, total_steps=12)], 12, 120),
        ([], 12, 120),
    ],
)
def test_schedules_that_fit(schedulers: list[Any], epochs: int, iterations: int) -> None:
    assert schedule_warnings(schedulers, epochs, iterations) == []


@pytest.mark.parametrize(
    ('scheduler', 'epochs', 'iterations', 'words'),
    [
        (steps(), 3, 3000, 'MultiStepLR of lr changes until epoch 11, but .* ends at epoch 3'),
        (
            steps(),
            30,
            30000,
            'ends at epoch 12, but the training at epoch 30: the last 18 epochs run',
        ),
        (steps(), 13, 13000, 'but the training at epoch 13: the last 1 epoch runs at'),
        (warm_up(), 1, 20, 'until iteration 500, .* at iteration 20: .* shorter than its warm-up'),
        (
            build(PolyLR, by_epoch=False, end=80000),
            1,
            4000,
            'until iteration 80000, .* at iteration 4000',
        ),
        (build(CosineAnnealingLR, T_max=30, end=12), 12, 120, 'until epoch 30'),
        (
            build(CosineAnnealingLR.build_iter_from_epoch, T_max=15, end=15, epoch_length=10),
            30,
            300,
            'ends at epoch 15, but the training at epoch 30',
        ),
    ],
)
def test_schedules_that_do_not(scheduler: Any, epochs: int, iterations: int, words: str) -> None:
    (line,) = schedule_warnings([scheduler], epochs, iterations)
    assert re.search(words, line), line


def test_factors_and_groups() -> None:
    with pytest.raises(ValueError, match=r'LinearLR\.start_factor=0'):
        check_factors([build(LinearLR, start_factor=0)])
    assert list(flat({'a': [1, {'type': 'b'}], 'c': 2})) == [1, {'type': 'b'}, 2]
