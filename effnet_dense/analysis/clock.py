"""Times of tasks that take turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch

Task = Callable[[], object]


def seconds(task: Task, cuda: bool) -> float:
    """How long a task takes; on CUDA until the device has finished it."""
    if not cuda:
        begin = time.perf_counter()
        task()
        return time.perf_counter() - begin
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    start.record()
    task()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000


def interleaved(
    tasks: Sequence[Task],
    repeats: int,
    cuda: bool = False,
    warm_up: int = 1,
    tick: Callable[[], None] = lambda: None,
) -> list[list[float]]:
    """Seconds of each task (outer) in each of `repeats` rounds (inner).

    Every second round goes backwards, so that nobody always follows the same neighbour.

    Args:
        warm_up: Rounds before, which do not count.
        tick: Called after each task that counts.
    """
    for _ in range(warm_up):
        for task in tasks:
            task()
    times: list[list[float]] = [[] for _ in tasks]
    order = list(range(len(tasks)))
    for _ in range(repeats):
        for index in order:
            times[index].append(seconds(tasks[index], cuda))
            tick()
        order.reverse()
    return times


def ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    """The median of the quotients round by round: what slows a round down is in both."""
    return median(one / other for one, other in zip(times, reference, strict=True))
