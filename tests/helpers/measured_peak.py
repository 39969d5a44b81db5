"""Measure the peak of a real training step, by mmengine's own `train_step`, on the CPU.

Two counts that are independent of the prediction: PyTorch's allocator, as the profiler reports it,
and the resident memory of a process that does nothing else.
"""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import build_optim_wrapper
from torch.profiler import ProfilerActivity, profile

from effnet_dense.analysis.memory.batch import disable_resizing, make_training_batch
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.analysis.memory.peak import TrainingSetup, training_setup, without_logs
from effnet_dense.engine.config import load_config
from tests.helpers.forked import Forked

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""glibc's names of `mallopt`'s parameters."""


def short_config(name: str) -> Config:
    """A shipped config with fewer blocks of the same channels, and one cell of a BiFPN."""
    config = load_config(name)
    config.model.backbone.arch = dict(base=config.model.backbone.arch, depth=0.3)
    if 'num_cells' in config.model.neck:
        config.model.neck.num_cells = 1
    return config


def train(config: Config, setup: TrainingSetup) -> None:
    """Two steps: from the second on the optimizer has its states."""
    with without_logs():
        model = build_model(config, setup.lean)
        disable_resizing(model, setup.size)
        wrapper = dict(config.optim_wrapper)
        if setup.precision == 'bf16':
            wrapper['type'] = 'CPUAmpOptimWrapper'
        optimizer = build_optim_wrapper(model, wrapper)
        hooks = [hook['type'] for hook in config.get('custom_hooks') or ()]
        average = ExponentialMovingAverage(model) if 'EMAHook' in hooks else None
        for _ in range(2):
            batch = make_training_batch(model, setup.batch_size, setup.size, setup.objects)
            model.train_step(batch, optimizer)
        del average


def allocated_peak(config: Config, setup: TrainingSetup) -> int:
    """Bytes that PyTorch's CPU allocator provides, including the building of the model."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        train(config, setup)
    events: Any = profiler.profiler.kineto_results.experimental_event_tree()
    running = largest = 0
    for event in sorted(_allocations(events), key=lambda event: event.start_time_ns):
        running += event.extra_fields.alloc_size
        largest = max(largest, running)
    return largest


def _allocations(events: Any) -> Any:
    for event in events:
        if event.tag == torch._C._profiler._EventType.Allocation:
            yield event
        yield from _allocations(event.children)


def resident_peak(name: str, batch: int, side: int, lean: int) -> int:
    """Bytes by which a separate process grows while it trains `short_config` on square images."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'bytes'
        assert Forked(_measure_growth, path, name, batch, side, lean).wait(timeout=200) == 0
        return int(path.read_text(encoding='utf-8'))


def _measure_growth(path: Path, name: str, batch: int, side: int, lean: int) -> None:
    # Blocks of 64 KiB and more come from the system, and go back to it at once.
    libc = ctypes.CDLL(None)
    for parameter, value in ((M_MMAP_THRESHOLD, 65536), (M_TRIM_THRESHOLD, 0), (M_ARENA_MAX, 1)):
        assert libc.mallopt(parameter, value) == 1
    config = short_config(name)
    # Kernels and their threads are loaded by a first, small run, as are shared pages.
    train(config, training_setup(config, 2, (64, 64), 'fp32', lean))
    Path('/proc/self/clear_refs').write_text('5', encoding='utf-8')  # reset the peak
    before = _resident('VmRSS')
    train(config, training_setup(config, batch, (side, side), 'fp32', lean))
    path.write_text(str(_resident('VmHWM') - before), encoding='utf-8')


def _resident(name: str) -> int:
    """Bytes; getrusage's would count what the parent process had."""
    (line,) = (
        x for x in Path('/proc/self/status').read_text(encoding='utf-8').splitlines() if name in x
    )
    return int(line.split()[1]) * 1024
