"""Measure contenders: what is exact first, then times with all of them taking turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence

import torch
from rich.console import Console
from rich.progress import Progress
from torch import nn

from benchmarks.ceilings import ceilings
from benchmarks.contender import Absent, Contender
from benchmarks.peak import peak_bytes
from benchmarks.ready import ready
from benchmarks.report import Report, Row
from effnet_dense.analysis import counts
from effnet_dense.analysis.clock import interleaved
from effnet_dense.analysis.machine import machine
from effnet_dense.analysis.saved import MIB, saved_bytes
from effnet_dense.analysis.settings import Settings
from effnet_dense.analysis.step import Inference, TrainingStep

# In the order of measurement.
MEASURES = ('gflops', 'saved', 'peak', 'step', 'inference')
Tick = Callable[[], None]


def measure(
    title: str,
    contenders: Sequence[Contender],
    settings: Settings,
    measures: Iterable[str] = MEASURES,
    absent: Sequence[Absent] = (),
) -> Report:
    """Measure all contenders on the same pictures; the first one is the reference.

    Raises:
        ValueError: There is no contender, or a measure is unknown.
    """
    wanted = list(measures)
    unknown = [name for name in wanted if name not in MEASURES]
    if unknown or not wanted:
        raise ValueError(f'measure must name some of {", ".join(MEASURES)}; got {unknown}')
    if not contenders:
        raise ValueError('measure needs at least one contender')
    settings.apply()
    found = machine(settings)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(title, total=1 + _ticks(len(contenders), settings, wanted))

        def tick() -> None:
            progress.advance(bar)

        limits = ceilings(settings)
        tick()
        rows = _rows(contenders, settings, wanted, tick)
    return Report(title, settings, found, limits, rows, list(absent))


def batches(settings: Settings) -> list[int]:
    """Those of inference: one picture, and the batch."""
    return sorted({1, settings.batch})


def _ticks(contenders: int, settings: Settings, wanted: Sequence[str]) -> int:
    rounds = settings.repeats * (
        ('step' in wanted) + len(batches(settings)) * ('inference' in wanted)
    )
    return contenders * (rounds + sum(name in wanted for name in ('gflops', 'saved', 'peak')))


def _rows(
    contenders: Sequence[Contender], settings: Settings, wanted: Sequence[str], tick: Tick
) -> list[Row]:
    models = [contender.build(settings) for contender in contenders]
    rows = [_row(*pair) for pair in zip(contenders, models, strict=True)]
    for contender, model, row in zip(contenders, models, rows, strict=True):
        _measure_exactly(contender, model, row, settings, wanted, tick)
    if 'step' in wanted:
        _time_steps(contenders, models, rows, settings, tick)
    if 'inference' in wanted:
        _time_inference(contenders, models, rows, settings, tick)
    return rows


def _row(contender: Contender, model: nn.Module) -> Row:
    return Row(
        contender.ecosystem,
        contender.name,
        contender.returns,
        'channels-last' if contender.channels_last else 'NCHW',
        contender.mode,
        counts.parameters(model),
    )


def _measure_exactly(
    contender: Contender,
    model: nn.Module,
    row: Row,
    settings: Settings,
    wanted: Sequence[str],
    tick: Tick,
) -> None:
    if 'gflops' in wanted:
        row.gflops = counts.gflops(model, settings.images(1, contender.channels_last))
        tick()
    if 'saved' in wanted:
        step = TrainingStep(
            model, settings.images(settings.batch, contender.channels_last), settings
        )
        saved = saved_bytes(model, step.x, step.forward)
        row.saved_hooks = saved.hooks / settings.batch / MIB
        row.saved_alive = saved.alive / settings.batch / MIB
        tick()
    if 'peak' in wanted:
        peak = peak_bytes(contender, settings)
        row.peak = None if peak is None else peak / MIB
        tick()


def _time_steps(
    contenders: Sequence[Contender],
    models: Sequence[nn.Module],
    rows: Sequence[Row],
    settings: Settings,
    tick: Tick,
) -> None:
    steps = [
        TrainingStep(model, settings.images(settings.batch, contender.channels_last), settings)
        for contender, model in zip(contenders, models, strict=True)
    ]
    times = interleaved(steps, settings.repeats, settings.on_cuda, _warm_up(settings), tick)
    for row, own in zip(rows, times, strict=True):
        row.step = [1000 * second / settings.batch for second in own]


def _time_inference(
    contenders: Sequence[Contender],
    models: Sequence[nn.Module],
    rows: Sequence[Row],
    settings: Settings,
    tick: Tick,
) -> None:
    # Of one picture, a coarse level has one value for its statistics.
    statistics = max(2, settings.batch)
    networks = [
        ready(contender, model, settings.images(statistics, contender.channels_last))
        for contender, model in zip(contenders, models, strict=True)
    ]
    for batch in batches(settings):
        passes = [
            Inference(network, settings.images(batch, contender.channels_last), settings)
            for contender, network in zip(contenders, networks, strict=True)
        ]
        for row, inference in zip(rows, passes, strict=True):
            begin = time.perf_counter()
            inference()
            row.first_pass_s = row.first_pass_s or time.perf_counter() - begin
        times = interleaved(passes, settings.repeats, settings.on_cuda, _warm_up(settings), tick)
        for row, own in zip(rows, times, strict=True):
            row.inference[batch] = [1000 * second / batch for second in own]
    del networks
    gc.collect()
    if settings.on_cuda:
        torch.cuda.empty_cache()


def _warm_up(settings: Settings) -> int:
    return 3 if settings.on_cuda else 1
