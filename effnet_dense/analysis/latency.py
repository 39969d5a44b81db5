"""Time inference passes and other tasks in interleaved rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from effnet_dense.analysis.settings import Settings, memory_format

Task = Callable[[], object]


class InferencePass:
    """A forward pass without gradients, as a task to time."""

    def __init__(self, model: nn.Module, x: Tensor, settings: Settings) -> None:
        self.model = model
        self.x = x
        self.settings = settings

    def __call__(self) -> Any:
        """Return the model's outputs."""
        with torch.no_grad(), self.settings.autocast():
            return self.model(self.x)


def build_network(
    make: Callable[[], nn.Module], settings: Settings, channels_last: bool
) -> nn.Module:
    """Build a network in training mode on the device, its weights sampled from the seed."""
    torch.manual_seed(settings.seed)
    model = make().to(settings.device)
    model.to(memory_format=memory_format(channels_last))
    model.train()  # mmdet's returns None
    return model


def calibrate_norms(model: nn.Module, x: Tensor) -> None:
    """Set the running statistics of batch norms to those of images x (N, 3, H, W).

    With random weights and the initial statistics activations overflow in deep networks.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()
        model(x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def time_task(task: Task, cuda: bool) -> float:
    """Return the seconds that a task takes; on CUDA after another one, as in a loop."""
    if not cuda:
        begin = time.perf_counter()
        task()
        return time.perf_counter() - begin
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    task()  # an idle device would wait for the host's first calls
    start.record()
    task()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000


def time_interleaved(
    tasks: Sequence[Task],
    repeats: int,
    cuda: bool = False,
    warm_up: int = 1,
    on_task_done: Callable[[], None] = lambda: None,
) -> list[list[float]]:
    """Return the seconds of each task (outer list) in each round (inner list).

    Every second round runs backwards, so that no task always follows the same one.

    Args:
        tasks: Tasks that run once per round.
        repeats: Rounds that are timed.
        cuda: Whether the tasks run on a GPU.
        warm_up: Rounds before them, which are not timed.
        on_task_done: Called after each timed task, for a progress bar.
    """
    for _ in range(warm_up):
        for task in tasks:
            task()
    times: list[list[float]] = [[] for _ in tasks]
    order = list(range(len(tasks)))
    for _ in range(repeats):
        for index in order:
            times[index].append(time_task(tasks[index], cuda))
            on_task_done()
        order.reverse()
    return times


def median_ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    """Return the median of the ratios per round: anything that slows a round down cancels out."""
    return median(time / other for time, other in zip(times, reference, strict=True))
