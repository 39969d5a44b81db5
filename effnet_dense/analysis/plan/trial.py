"""Train a config for a few steps in a process of its own: seconds and memory, data included."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope

from effnet_dense.engine.channels_last import use_channels_last
from effnet_dense.engine.runner import Runner

PROC = Path('/proc/self')
STEPS = 6
WARM_UP = 3
EVALUATED = 8
SEED = 0


@dataclass(frozen=True)
class Trial:
    """What a few real steps took.

    Attributes:
        start: Seconds until the first step: imports, data loader, model and optimizer.
        step: Seconds of a step, loading included.
        evaluation: Seconds to evaluate one image, loading included.
        memory: Bytes by which the process grew at its peak, or that the GPU's allocator gave.
        own: Bytes that a process on a CPU takes beside them; 0 on a GPU.
    """

    start: float
    step: float
    evaluation: float
    memory: int
    own: int


def run_trial(config: Config, device: str, threads: int, steps: int = STEPS) -> Trial:
    """Train and evaluate a config with its data, some steps in a fresh process.

    Args:
        config: With its data.
        device: 'cpu' or 'cuda'.
        threads: Of PyTorch's operators.
        steps: Number of steps that are timed, after `WARM_UP` others.

    Raises:
        ValueError: What training would raise for the config, or the process was killed.
    """
    context = multiprocessing.get_context('spawn')
    values, called = config.to_dict(), time.time()
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
        try:
            return process.submit(_try, values, device, threads, steps, called).result()
        except BrokenProcessPool as error:
            raise ValueError(
                'expected a few training steps, but the system ended their process: it probably '
                'has less memory than --gib or the free memory promise'
            ) from error


def _try(values: dict[str, Any], device: str, threads: int, steps: int, called: float) -> Trial:
    with open(os.devnull, 'w', encoding='utf-8') as nowhere, contextlib.redirect_stdout(nowhere):
        torch.set_num_threads(threads)
        torch.manual_seed(SEED)
        return _measure(Config(values), device, steps, called)


def _measure(config: Config, device: str, steps: int, called: float) -> Trial:
    logging.disable(logging.WARNING)
    init_default_scope(config.default_scope)
    before = resident('VmRSS')
    loader = Runner.build_dataloader(config.train_dataloader, seed=SEED)
    model: Any = MODELS.build(config.model)
    if config.get('channels_last'):
        use_channels_last(model)
    model.init_weights()
    model.to(device).train()
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    start = time.time() - called
    step = mean(islice(_step_times(model, loader, wrapper, device), WARM_UP, WARM_UP + steps))
    on_cpu = device == 'cpu'
    memory = resident('VmHWM') - before if on_cpu else torch.cuda.max_memory_allocated()
    own = before if on_cpu else 0
    evaluation = _evaluation_seconds(config, model, device)
    return Trial(start, step, evaluation, memory, own)


def _step_times(model: Any, loader: Any, wrapper: Any, device: str) -> Iterator[float]:
    batches = chain.from_iterable(repeat(loader))
    while True:
        begin = time.perf_counter()
        model.train_step(next(batches), wrapper)
        _wait(device)
        yield time.perf_counter() - begin


def _evaluation_seconds(config: Config, model: Any, device: str) -> float:
    """Return the mean of a few images; the first one, for which workers start, is not counted."""
    loader = Runner.build_dataloader(config.val_dataloader, seed=SEED)
    model.eval()
    times, images = [], iter(loader)
    with torch.no_grad():
        for _ in range(min(EVALUATED, len(loader))):
            begin = time.perf_counter()
            model.val_step(next(images))
            _wait(device)
            times.append(time.perf_counter() - begin)
    return mean(times[1:] or times)


def _wait(device: str) -> None:
    if device != 'cpu':
        torch.cuda.synchronize()


def resident(name: str) -> int:
    """Return the bytes of 'VmRSS' (now) or 'VmHWM' (the peak); 0 where the system has no /proc."""
    path = PROC / 'status'
    if not path.is_file():
        return 0
    lines = path.read_text(encoding='utf-8').splitlines()
    found = [line for line in lines if line.startswith(f'{name}:')]
    return int(found[0].split()[1]) * 1024 if found else 0
