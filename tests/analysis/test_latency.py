"""Interleaved rounds, ratios, and calibrated norms."""

from __future__ import annotations

import pytest
import torch

from effnet_dense.analysis.latency import calibrate_norms, median_ratio, time_interleaved, time_task
from tests.helpers import fake_implementation as fake


def test_every_second_round_runs_backwards() -> None:
    seen: list[str] = []
    tasks = [lambda: seen.append('a'), lambda: seen.append('b')]
    times = time_interleaved(tasks, 3, warm_up=1)
    assert ''.join(seen) == 'ab' + 'ab' + 'ba' + 'ab'
    assert [len(seconds) for seconds in times] == [3, 3]


def test_on_a_gpu_the_queue_is_not_empty_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            seen.append('event')

        def elapsed_time(self, end: Event) -> float:
            return 1500.0

    monkeypatch.setattr(torch.cuda, 'Event', Event)
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda: seen.append('wait'))
    assert time_task(lambda: seen.append('task'), cuda=True) == 1.5
    assert seen == ['wait', 'task', 'event', 'task', 'event', 'wait']


def test_ratio_is_the_median_of_the_pairs() -> None:
    assert median_ratio([1, 20, 3], [2, 10, 3]) == 1.0


def test_calibrated_statistics_are_those_of_the_batch() -> None:
    model = fake.FakeNetwork()
    calibrate_norms(model, fake.images())
    maps = model.first(fake.images())
    torch.testing.assert_close(model.norm.running_mean, maps.mean((0, 2, 3)))
    assert model.norm.momentum == 0.1
