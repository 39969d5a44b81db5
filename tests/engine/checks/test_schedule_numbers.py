"""Numbers of schedules that mmengine accepts in silence, or fails with later."""

from __future__ import annotations

import math
from typing import Any

import pytest

from effnet_dense.engine.checks.schedule_numbers import check_schedule_numbers


@pytest.mark.parametrize(
    'node',
    [
        None,
        dict(type='CosineAnnealingLR', T_max=10, begin=0, end=math.inf, eta_min=0),
        dict(type='CosineAnnealingLR', T_max=None),
        [dict(type='MultiStepLR', milestones=[8, 11], gamma=0.1)],
        dict(a=dict(type='PolyLR', power=0.9, eta_min=1e-4)),
        dict(type='CosineRestartLR', periods=[5, 5]),
    ],
)
def test_schedules(node: Any) -> None:
    check_schedule_numbers({'param_scheduler': node})


@pytest.mark.parametrize(
    ('entry', 'words'),
    [
        (dict(T_max=0), r'param_scheduler\.0\.T_max must be a whole number, at least 1, got 0'),
        (dict(T_max=-3), 'got -3'),
        (dict(T_max=2.5), 'got 2.5'),
        (dict(gamma=-0.1), r'gamma must be a number above 0'),
        (dict(gamma=0), r'gamma must be a number above 0'),
        (dict(gamma=math.nan), 'got nan'),
        (dict(milestones=[11, 8]), r'milestones must ascend, got \[11, 8\]'),
        (dict(milestones=[8, 8]), 'must ascend'),
        (dict(milestones=[0, 8]), 'at least 1, got 0'),
        (dict(milestones=8), 'must be a list'),
        (dict(milestones=[]), 'must be a list'),
        (dict(begin=-1), r'begin must be a whole number, at least 0'),
        (dict(end=0), r'end must be a whole number, at least 1'),
        (dict(eta_min=-1), r'eta_min must be a number, at least 0'),
        (dict(power=0), r'power must be a number above 0'),
        (dict(step_size=0), r'step_size'),
    ],
)
def test_impossible_numbers(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_schedule_numbers({'param_scheduler': [dict(type='X', **entry)]})
