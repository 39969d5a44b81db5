"""Time work on a device whose queue is never empty at the start, as in a training."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

Task = Callable[[], object]

FLUSH = 2**26  # float32 values: more than any cache holds
ROUNDS = 3


def synchronise(cuda: bool) -> None:
    """Wait until the device has finished."""
    if cuda:
        torch.cuda.synchronize()


def wall_ms(task: Task, cuda: bool, repeats: int) -> float:
    """Return the ms of a task when it runs back to back: on a GPU the best of three rounds."""
    return min(_round_ms(task, cuda, repeats) for _ in range(ROUNDS if cuda else 1))


def _round_ms(task: Task, cuda: bool, repeats: int) -> float:
    task()  # fills the queue
    if not cuda:
        begin = time.perf_counter()
        for _ in range(repeats):
            task()
        return 1e3 * (time.perf_counter() - begin) / repeats
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        task()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / repeats


def host_ms(task: Task, cuda: bool, repeats: int = 5) -> float:
    """Return the ms until a task has been queued, the median, from an empty queue."""
    times = []
    for _ in range(repeats):
        synchronise(cuda)
        begin = time.perf_counter()
        task()
        times.append(1e3 * (time.perf_counter() - begin))
    synchronise(cuda)
    return median(times)


def kernel_ms(task: Task, cuda: bool, device: str, repeats: int = 30) -> float:
    """Return the median ms of one operator, with caches emptied before each call."""
    if not cuda:
        return wall_ms(task, cuda, 1)
    other = torch.randn(FLUSH, device=device)
    pairs = []
    for number in range(-5, repeats):
        other.neg_()
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        task()
        end.record()
        if number >= 0:
            pairs.append((start, end))
    torch.cuda.synchronize()
    return median(start.elapsed_time(end) for start, end in pairs)


def profile_kernels(task: Task, repeats: int = 3) -> tuple[float, int, dict[str, float]]:
    """Return a task's ms on the GPU, its number of kernels, and the ms of the longest eight."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(repeats):
            task()
        torch.cuda.synchronize()
    kernels: list[Any] = [
        event
        for event in profiler.events() or []
        if event.device_type == torch.autograd.DeviceType.CUDA
    ]
    by_name: Counter[str] = Counter()
    for event in kernels:
        by_name[event.name[:60]] += event.device_time_total / 1e3 / repeats
    return sum(by_name.values()), len(kernels) // repeats, dict(by_name.most_common(8))
