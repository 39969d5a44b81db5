"""A few steps of a training in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.analysis.plan.measure import (
    inference_seconds,
    loading_seconds,
    training_step_seconds,
)
from effnet_dense.analysis.plan.recipes import Size
from effnet_dense.analysis.plan.trial import resident, run_trial
from effnet_dense.engine.config import load_config
from tests.helpers.tiny import narrow_retinanet, options, write_data

TINY = Size((64, 64), (64, 64))


@pytest.mark.slow
def test_times_and_memory(tmp_path: Path) -> None:
    values = options(batch=2) | narrow_retinanet()
    data = write_data(tmp_path / 'data')
    config = load_config('effnet_lite0_retinanet_finetune', data=data, options=values)
    trial = run_trial(config, 'cpu', 1, steps=2)
    assert 0 < trial.step < 60 and 0 < trial.evaluation < 60 and trial.start > 0
    assert trial.process > trial.memory > 0
    assert 0 < loading_seconds(config, 2) < 10
    assert 0 < training_step_seconds(config, 2, TINY, 2, 'cpu', steps=1) < 60
    assert 0 < inference_seconds(config, TINY, 'cpu', passes=1) < 60


def test_resident_memory() -> None:
    assert resident('VmHWM') >= resident('VmRSS') > 0
    assert resident('None') == 0
