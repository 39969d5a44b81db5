"""Measure by how much a training step raises a process's peak memory.

On a CPU this is the resident set of a fresh process, in which no freed memory is reused.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from benchmarks.implementation import Implementation
from benchmarks.training_modes import prepare_for_training
from benchmarks.training_step import TrainingStep
from effnet_dense.analysis.settings import Settings

PROC = Path('/proc/self')


def measure_peak(implementation: Implementation, settings: Settings) -> int | None:
    """Return by how many bytes a training step's peak exceeds the memory before it.

    On CPUs of the first step. Gradients are included. None if the system does not report it
    (Linux does).
    """
    if settings.on_cuda:
        return _measure_on_cuda(implementation, settings)
    if not (PROC / 'clear_refs').exists():
        return None
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
        return process.submit(_measure_on_cpu, implementation, settings).result()


def _measure_on_cuda(implementation: Implementation, settings: Settings) -> int:
    """Measure the second step: the first one captures, compiles and tries algorithms."""
    step = _build_step(implementation, settings)
    before = torch.cuda.memory_allocated(settings.device)
    step()
    torch.cuda.reset_peak_memory_stats(settings.device)
    step()
    return torch.cuda.max_memory_allocated(settings.device) - before


def _measure_on_cpu(implementation: Implementation, settings: Settings) -> int:
    settings.apply()
    step = _build_step(implementation, settings)
    (PROC / 'clear_refs').write_text('5', encoding='utf-8')  # resets the peak (proc(5))
    before = _resident_peak()
    step()
    return _resident_peak() - before


def _build_step(implementation: Implementation, settings: Settings) -> TrainingStep:
    x = settings.images(settings.batch, implementation.channels_last)
    return prepare_for_training(implementation, implementation.build(settings), x, settings)


def _resident_peak() -> int:
    """Return the bytes of the line 'VmHWM:   123 kB'."""
    lines = (PROC / 'status').read_text(encoding='utf-8').splitlines()
    line = next(line for line in lines if line.startswith('VmHWM:'))
    return int(line.split()[1]) * 1024
