"""Measure implementations: first what is exact, then times in interleaved rounds."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from benchmarks.ceilings import measure_ceilings
from benchmarks.comparison import Comparison, Row
from benchmarks.environment import describe_machine
from benchmarks.implementation import Implementation, Unavailable
from benchmarks.peak_memory import measure_peak
from benchmarks.prepare import prepare_for_inference
from benchmarks.training_modes import ACCELERATED, prepare_for_training
from benchmarks.training_step import TrainingStep
from effnet_dense.analysis.counts import count_gflops, count_parameters
from effnet_dense.analysis.latency import InferencePass, time_interleaved
from effnet_dense.analysis.saved_memory import MIB, measure_saved_memory
from effnet_dense.analysis.settings import Settings
from effnet_dense.utils.progress import progress_bar

MEASURES = ('gflops', 'saved', 'peak', 'step', 'inference')
"""In the order of measurement."""


@dataclass(frozen=True)
class Measured:
    """An implementation, its network, and the row for its results."""

    implementation: Implementation
    model: nn.Module
    row: Row

    def images(self, settings: Settings, batch: int) -> torch.Tensor:
        """Return images (batch, 3, H, W) in the implementation's memory format."""
        return settings.images(batch, self.implementation.channels_last)


def compare(
    title: str,
    implementations: Sequence[Implementation],
    settings: Settings,
    measures: Iterable[str] = MEASURES,
    unavailable: Sequence[Unavailable] = (),
) -> Comparison:
    """Measure all implementations on the same images; the first one is the reference.

    Raises:
        ValueError: There is no implementation, or a measure is unknown.
    """
    measures = list(measures)
    unknown = [name for name in measures if name not in MEASURES]
    if unknown or not measures:
        raise ValueError(f'measure must name some of {", ".join(MEASURES)}; got {unknown}')
    if not implementations:
        raise ValueError('measure requires at least one implementation')
    settings.apply()
    machine = describe_machine(settings)
    with progress_bar(transient=True) as progress:
        total = 1 + len(implementations) * _measurements(settings, measures)
        advance = partial(progress.advance, progress.add_task(title, total=total))
        ceilings = measure_ceilings(settings)
        advance()
        rows, failed = _measure_rows(implementations, settings, measures, advance)
    return Comparison(title, settings, machine, ceilings, rows, [*unavailable, *failed])


def inference_batches(settings: Settings) -> list[int]:
    """Return the batch sizes of inference: one image, and the batch."""
    return sorted({1, settings.batch})


def _measurements(settings: Settings, measures: Sequence[str]) -> int:
    """Return how many measurements each implementation takes, for the progress bar."""
    timed = ('step' in measures) + len(inference_batches(settings)) * ('inference' in measures)
    exact = sum(name in measures for name in ('gflops', 'saved', 'peak'))
    return settings.repeats * timed + exact


def _measure_rows(
    implementations: Sequence[Implementation],
    settings: Settings,
    measures: Sequence[str],
    advance: Callable[[], None],
) -> tuple[list[Row], list[Unavailable]]:
    all_measured = [_build(implementation, settings) for implementation in implementations]
    for measured in all_measured:
        _measure_exactly(measured, settings, measures, advance)
    for_inference, failed = all_measured, list[Unavailable]()
    if 'step' in measures:  # in modes of training
        failed = _time_steps(all_measured, settings, advance)
        for_inference = [m for m in all_measured if m.implementation.mode not in ACCELERATED]
    if 'inference' in measures:
        _time_inference(for_inference, settings, advance)
    return [measured.row for measured in all_measured], failed


def _build(implementation: Implementation, settings: Settings) -> Measured:
    model = implementation.build(settings)
    row = Row(
        implementation.ecosystem,
        implementation.name,
        implementation.returns,
        'channels-last' if implementation.channels_last else 'NCHW',
        implementation.mode,
        count_parameters(model),
    )
    return Measured(implementation, model, row)


def _measure_exactly(
    measured: Measured, settings: Settings, measures: Sequence[str], advance: Callable[[], None]
) -> None:
    model, row = measured.model, measured.row
    if 'gflops' in measures:
        row.gflops = count_gflops(model, measured.images(settings, 1))
        advance()
    if 'saved' in measures and measured.implementation.mode not in ACCELERATED:
        step = TrainingStep(model, measured.images(settings, settings.batch), settings)
        saved = measure_saved_memory(model, step.x, step.forward)
        row.saved_hooks = saved.hooks / settings.batch / MIB
        row.saved_alive = saved.live / settings.batch / MIB
        advance()
    if 'peak' in measures:
        peak = measure_peak(measured.implementation, settings)
        row.peak = None if peak is None else peak / MIB
        advance()


def _time_steps(
    all_measured: Sequence[Measured], settings: Settings, advance: Callable[[], None]
) -> list[Unavailable]:
    """Time the steps that run, and return the others: what cannot be captured or compiled."""
    steps: list[TrainingStep] = []
    timed: list[Measured] = []
    failed: list[Unavailable] = []
    for measured in all_measured:
        found, x = measured.implementation, measured.images(settings, settings.batch)
        try:
            step = prepare_for_training(found, measured.model, x, settings)
            step()
        except Exception as error:
            if found.mode not in ACCELERATED:
                raise
            failed.append(Unavailable(found.name, f'{type(error).__name__}: {error}'))
            continue
        steps.append(step)
        timed.append(measured)
    times = time_interleaved(steps, settings.repeats, settings.on_cuda, _warm_up(settings), advance)
    for measured, seconds in zip(timed, times, strict=True):
        measured.row.step = [1000 * second / settings.batch for second in seconds]
    return failed


def _time_inference(
    all_measured: Sequence[Measured], settings: Settings, advance: Callable[[], None]
) -> None:
    # With one image, a coarse level's statistics would be those of a single value.
    calibration_batch = max(2, settings.batch)
    networks = [
        prepare_for_inference(
            measured.implementation,
            measured.model,
            measured.images(settings, calibration_batch),
        )
        for measured in all_measured
    ]
    for batch in inference_batches(settings):
        passes = [
            InferencePass(network, measured.images(settings, batch), settings)
            for measured, network in zip(all_measured, networks, strict=True)
        ]
        for measured, inference in zip(all_measured, passes, strict=True):
            begin = time.perf_counter()
            inference()
            measured.row.first_pass_s = measured.row.first_pass_s or time.perf_counter() - begin
        times = time_interleaved(
            passes, settings.repeats, settings.on_cuda, _warm_up(settings), advance
        )
        for measured, seconds in zip(all_measured, times, strict=True):
            measured.row.inference[batch] = [1000 * second / batch for second in seconds]
    del networks
    gc.collect()
    if settings.on_cuda:
        torch.cuda.empty_cache()


def _warm_up(settings: Settings) -> int:
    return 3 if settings.on_cuda else 1
