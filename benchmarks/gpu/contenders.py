"""Measure training steps of contenders: wall, host, GPU, kernels, memory."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from typing import Any

import torch

from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.record import Record
from benchmarks.gpu.timing import host_ms, profile_kernels, synchronise, wall_ms
from benchmarks.implementation import Implementation, Peer, Unavailable
from benchmarks.training_modes import prepare_for_training
from benchmarks.training_step import TrainingStep
from effnet_dense.analysis.saved_memory import MIB
from effnet_dense.analysis.settings import Settings

WARM_UP = 3


def peers_of(peers: Sequence[Peer], name: str, record: Record) -> list[Implementation]:
    """Return the peers' networks in channels-last; the record notes what is not installed."""
    found: list[Implementation] = []
    for peer in peers:
        implementations = peer.implementations(name, channels_last=True)
        if isinstance(implementations, Unavailable):
            record.note(f'{peer.ecosystem}: {implementations.reason}.')
        else:
            found += implementations
    return found


def measure_all(
    conditions: Conditions,
    record: Record,
    title: str,
    contenders: Sequence[Implementation],
    settings: Settings,
) -> None:
    """Add a row for each contender; one that fails has the reason in it."""
    settings.apply()
    for contender in contenders:
        try:
            row = measure(conditions, record, contender, settings)
        except Exception as error:  # out of memory, a compiler's errors
            reason = str(error).strip().partition('\n')[0]
            row = {'error': f'{type(error).__name__}: {reason:.120}'}
        record.add(title, network=contender.name, batch=settings.batch, **row)
        gc.collect()
        if settings.on_cuda:
            torch.cuda.empty_cache()


def measure(
    conditions: Conditions, record: Record, contender: Implementation, settings: Settings
) -> dict[str, Any]:
    """Return the columns of a contender's row."""
    cuda = settings.on_cuda
    x = settings.images(settings.batch, contender.channels_last)
    options = conditions.pick({}, {'backend': 'eager'})
    if contender.mode == 'compiled':
        torch._dynamo.reset()
    before = torch.cuda.memory_allocated() if cuda else 0
    step = prepare_for_training(contender, contender.build(settings), x, settings, **options)
    begin = time.perf_counter()
    step()
    synchronise(cuda)
    row: dict[str, Any] = {'first s': time.perf_counter() - begin}
    for _ in range(conditions.pick(WARM_UP, 1)):
        step()
    if cuda:
        row['peak MiB'] = _peak(step) - before / MIB
    repeats = conditions.pick(20, 1)
    row['wall ms'] = wall_ms(step, cuda, repeats)
    row['ms/img'] = row['wall ms'] / settings.batch
    row['host ms'] = host_ms(step, cuda, conditions.pick(5, 1))
    if cuda:
        row['GPU ms'], row['kernels'], longest = profile_kernels(step)
        print(contender.name, settings.batch, longest)
    return row


def _peak(step: TrainingStep) -> float:
    """Return the MiB that are allocated at most in a step, weights included."""
    torch.cuda.reset_peak_memory_stats()
    step()
    return torch.cuda.max_memory_allocated() / MIB
