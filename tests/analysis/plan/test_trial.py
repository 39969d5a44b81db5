"""A few steps of a training in a process of its own."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from mmengine.config import Config

from effnet_dense.analysis.plan import trial
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
    found = run_trial(config, 'cpu', 1, steps=2)
    assert 0 < found.step < 60 and 0 < found.evaluation < 60 and found.start > 0
    assert found.memory > 0 and found.own > 0
    assert 0 < loading_seconds(config, 2) < 10
    assert 0 < training_step_seconds(config, 2, TINY, 2, 'cpu', steps=1) < 60
    assert 0 < inference_seconds(config, TINY, 'cpu', passes=1) < 60


def test_a_process_that_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed:
        def __init__(self, **_: object) -> None: ...

        def __enter__(self) -> Killed:
            return self

        def __exit__(self, *_: object) -> None: ...

        def submit(self, *_: object) -> Future[None]:
            future: Future[None] = Future()
            future.set_exception(BrokenProcessPool())
            return future

    monkeypatch.setattr(trial, 'ProcessPoolExecutor', Killed)
    with pytest.raises(ValueError, match='less memory than --gib'):
        run_trial(Config(dict(a=1)), 'cpu', 1)


def test_resident_memory() -> None:
    assert resident('VmHWM') >= resident('VmRSS') > 0
    assert resident('None') == 0
