"""The learning rate and the images per step that it is meant for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import RUNNERS
from torch import nn

from effnet_dense.engine.checks.batch_size import (
    accumulation_warning,
    batch_size_warning,
    images_per_step,
)
from tests.helpers import resumable


def runner(batch: int, world: int, accumulate: int, setting: dict[str, Any] | None) -> Any:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.04)
    return SimpleNamespace(
        _train_dataloader=dict(batch_size=batch),
        world_size=world,
        optim_wrapper=OptimWrapper(optimizer, accumulative_counts=accumulate),
        auto_scale_lr=setting,
    )


def test_batch_times_processes_times_accumulated() -> None:
    assert images_per_step(runner(4, 2, 3, None)) == 24


def test_more_accumulated_batches_than_the_training_has() -> None:
    wrapper = runner(4, 1, 1000, None).optim_wrapper
    line = accumulation_warning(2, wrapper)
    assert 'accumulative_counts=1000' in line and '(2)' in line
    assert not accumulation_warning(1000, wrapper)


@pytest.mark.parametrize(
    ('given', 'setting', 'expected'),
    [
        ((4, 2, 1), dict(base_batch_size=32), 'for 32 images per step, this run has 8: '),
        ((4, 2, 1), dict(base_batch_size=32), '--auto-scale-lr would make it 0.01'),
        ((4, 2, 8), dict(base_batch_size=32), '--auto-scale-lr would make it 0.08'),
        ((4, 2, 4), dict(base_batch_size=32), ''),
        ((4, 2, 1), dict(base_batch_size=32, enable=True), ''),
        ((4, 2, 1), None, ''),
    ],
)
def test_warning(
    given: tuple[int, int, int], setting: dict[str, Any] | None, expected: str
) -> None:
    one = runner(*given, setting)
    warning = batch_size_warning(one, one.optim_wrapper)
    assert expected in warning and bool(expected) == bool(warning)
    assert '\n' not in warning


@pytest.mark.parametrize('enable', [False, True])
def test_warned_once_or_scaled(enable: bool, tiny_data: Path, tmp_path: Path) -> None:
    """One image, accumulated twice, where the rate is meant for four."""
    config = resumable.config(
        tiny_data,
        tmp_path,
        **{
            'train_dataloader.batch_size': 1,
            'optim_wrapper.accumulative_counts': 2,
            'optim_wrapper.optimizer.lr': 0.008,
            'auto_scale_lr.enable': enable,
        },
    )
    built = RUNNERS.build(config)
    built.optim_wrapper = built.build_optim_wrapper(built.optim_wrapper)
    built.scale_lr(built.optim_wrapper, built.auto_scale_lr)
    rates = {group['lr'] for group in built.optim_wrapper.optimizer.param_groups}
    assert max(rates) == pytest.approx(0.004 if enable else 0.008)
    log = max(tmp_path.glob('*/*.log')).read_text(encoding='utf-8')
    assert log.count('--auto-scale-lr would make it 0.004') == (not enable)
