"""By how much a training step raises a process's memory at most.

On a CPU it is the resident set of a fresh process, so that nothing freed earlier is used again.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from benchmarks.contender import Contender
from effnet_dense.analysis.settings import Settings
from effnet_dense.analysis.step import TrainingStep

PROCESS = Path('/proc/self')


def peak_bytes(contender: Contender, settings: Settings) -> int | None:
    """The peak of the first training step over the state before it; gradients are in it.

    None where the system does not tell (Linux does).
    """
    if settings.on_cuda:
        return _on_cuda(contender, settings)
    if not (PROCESS / 'clear_refs').exists():
        return None
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
        return process.submit(_on_cpu, contender, settings).result()


def _on_cuda(contender: Contender, settings: Settings) -> int:
    step = _step(contender, settings)
    torch.cuda.reset_peak_memory_stats(settings.device)
    before = torch.cuda.memory_allocated(settings.device)
    step()
    return torch.cuda.max_memory_allocated(settings.device) - before


def _on_cpu(contender: Contender, settings: Settings) -> int:
    settings.apply()
    step = _step(contender, settings)
    (PROCESS / 'clear_refs').write_text('5')  # the peak starts anew (proc(5))
    before = _resident('VmHWM')
    step()
    return _resident('VmHWM') - before


def _step(contender: Contender, settings: Settings) -> TrainingStep:
    x = settings.images(settings.batch, contender.channels_last)
    return TrainingStep(contender.build(settings), x, settings)


def _resident(field: str) -> int:
    """Bytes of a line 'VmHWM:   123 kB'."""
    lines = (PROCESS / 'status').read_text().splitlines()
    line = next(line for line in lines if line.startswith(f'{field}:'))
    return int(line.split()[1]) * 1024
