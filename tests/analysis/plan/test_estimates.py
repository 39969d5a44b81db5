"""Lines through a few measurements."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from effnet_dense.analysis.plan.estimates import (
    PIXELS,
    Point,
    fit_memory,
    fit_speed,
    iteration_seconds,
)


def test_speed_follows_the_line_through_two_networks() -> None:
    speed = fit_speed([Point(2, PIXELS, 1.0, 1.0), Point(2, PIXELS, 3.0, 2.0)])
    assert speed.seconds(2, PIXELS, 2.0) == pytest.approx(1.5)
    assert speed.seconds(8, 4 * PIXELS, 1.0) == pytest.approx(16.0)
    assert speed.times(2).seconds(2, PIXELS, 1.0) == pytest.approx(2.0)


def test_speed_is_proportional_where_there_is_no_line() -> None:
    assert fit_speed([Point(1, PIXELS, 2.0, 4.0)]).seconds(1, PIXELS, 3.0) == pytest.approx(6.0)
    slower = [Point(1, PIXELS, 1.0, 2.0), Point(1, PIXELS, 3.0, 1.0)]  # disturbed by other load
    assert fit_speed(slower).seconds(1, PIXELS, 4.0) == pytest.approx(3.0)
    with pytest.raises(ValueError, match='expected a measured time'):
        fit_speed([])


def test_memory_of_other_batches_sizes_and_networks() -> None:
    counts: Any = SimpleNamespace(parameters=1000, saved=50.0)
    larger: Any = SimpleNamespace(parameters=2000, saved=70.0)
    memory = fit_memory(counts, (2, 1200.0), (6, 1600.0))
    assert memory.bytes(counts, 2, PIXELS) == pytest.approx(1200)
    assert memory.bytes(counts, 4, 4 * PIXELS) == pytest.approx(1000 + 16 * 100)
    assert memory.bytes(larger, 2, PIXELS) == pytest.approx(1200 + 16_000 + 2 * 20)


@pytest.mark.parametrize(
    ('step', 'load', 'workers', 'cores', 'threads', 'gpu', 'seconds'),
    [
        (1.0, 0.01, 2, 8, 4, False, 1.0),  # loading hides behind the step
        (0.1, 0.1, 2, 8, 1, False, 0.4),  # loading is the slower one
        (1.0, 0.1, 2, 2, 2, False, 1.4),  # both share two cores
        (0.1, 0.1, 4, 4, 4, True, 0.2),
        (0.1, 0.1, 8, 4, 4, True, 0.2),  # more workers than cores do not help
    ],
)
def test_steps_and_loading(
    step: float, load: float, workers: int, cores: int, threads: int, gpu: bool, seconds: float
) -> None:
    found = iteration_seconds(step, 8, load, workers, cores, threads, gpu)
    assert found == pytest.approx(seconds)
