"""Schedules that a resumed run lengthens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.optim import MultiStepLR, PolyLR

from effnet_dense.engine.resume.schedule_state import check_schedules


def schedule(kind: Any, **options: Any) -> Any:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    return kind(optimizer, by_epoch=False, **options)


def test_a_rate_that_has_fallen_to_0_trains_nothing() -> None:
    saved = [schedule(PolyLR, begin=0, end=4).state_dict()]
    message = r'PolyLR of lr\) has fallen to 0 after 4 iterations.*of that length, got 6; .*--from'
    with pytest.raises(ValueError, match=message):
        check_schedules(saved, [schedule(PolyLR, begin=0, end=6)])
    check_schedules(saved, [schedule(PolyLR, begin=0, end=4)])
    check_schedules(saved, [schedule(PolyLR, begin=0, end=3)])


def test_a_rate_that_stays_above_0_may_be_used_longer() -> None:
    saved = [schedule(PolyLR, begin=0, end=4, eta_min=0.01).state_dict()]
    check_schedules(saved, [schedule(PolyLR, begin=0, end=6, eta_min=0.01)])
    saved = [schedule(MultiStepLR, milestones=[3], end=4).state_dict()]
    check_schedules(saved, [schedule(MultiStepLR, milestones=[5], end=6)])
