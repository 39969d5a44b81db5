"""Compare the ends of learning rate schedules with the end of the training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.optim.scheduler.param_scheduler import (
    ConstantParamScheduler,
    LinearParamScheduler,
    MultiStepParamScheduler,
)

from effnet_dense.utils.counted import counted

NEVER = 10**9  # mmengine's default


def schedule_warnings(schedulers: Iterable[Any], epochs: int, iterations: int) -> list[str]:
    """Return one line for each schedule that does not end with the training.

    Args:
        schedulers: mmengine's, built.
        epochs: Of the training.
        iterations: Of the training.
    """
    lines, ends = [], []
    for scheduler in schedulers:
        unit, length, per_unit = _unit(scheduler, epochs, iterations)
        name = f'param_scheduler: {type(scheduler).__name__} of {scheduler.param_name}'
        last, end = last_change(scheduler) // per_unit, _end(scheduler) // per_unit
        if last > length:
            lines.append(
                f'{name} changes until {unit} {last}, but the training ends at {unit} {length}: '
                + (
                    'it is shorter than its warm-up'
                    if is_warm_up(scheduler)
                    else f'write a schedule (end, milestones, T_max) for {counted(length, unit)}'
                )
            )
        if end and not is_warm_up(scheduler):
            ends.append((end / length, end, length, unit, name))
    if ends:
        share, end, length, unit, name = max(ends)
        if share < 1 and not lines:
            rest = counted(length - end, f'{unit} runs', f'{unit}s run')
            lines.append(
                f'{name} ends at {unit} {end}, but the training at {unit} {length}: the last '
                f'{rest} at its last value; write end={length}, and T_max or milestones that fit'
            )
    return lines


def _unit(scheduler: Any, epochs: int, iterations: int) -> tuple[str, int, int]:
    """Return the unit to show, the training's length in it, and the schedule's steps in it."""
    if scheduler.by_epoch:
        return 'epoch', epochs, 1
    per_epoch, rest = divmod(iterations, epochs)
    steps = (last_change(scheduler), _end(scheduler))
    if epochs > 1 and not rest and all(step % per_epoch == 0 for step in steps):
        return 'epoch', epochs, per_epoch  # converted from epochs, in which the config counts
    return 'iteration', iterations, 1


def check_factors(schedulers: Iterable[Any]) -> None:
    """Check the factors by which schedules divide after the first step.

    Raises:
        ValueError: One is 0.
    """
    for scheduler in schedulers:
        for name in ('start_factor', 'factor'):
            if getattr(scheduler, name, None) == 0:
                raise ValueError(
                    f'{type(scheduler).__name__}.{name}=0: write a small number above 0'
                )


def last_change(scheduler: Any) -> int:
    """Return the epoch or iteration until which a schedule changes its value; 0 if it never ends.

    A schedule without an end has got the training's by mmengine; milestones and the length of a
    cosine's half wave still may lie behind it.
    """
    if isinstance(scheduler, MultiStepParamScheduler):
        # The one at the end of the training changes nothing, and may belong to a longer run.
        return max(scheduler.milestones, default=0)
    half_wave = getattr(scheduler, 'T_max', None)
    steps = [_end(scheduler), scheduler.begin + half_wave if half_wave else 0]
    return int(max(steps))


def _end(scheduler: Any) -> int:
    """Return the epoch or iteration at which a schedule ends; 0 if it never does."""
    steps = getattr(scheduler, 'total_steps', None)
    end = scheduler.begin + steps if steps else scheduler.end
    return 0 if end >= NEVER else int(end)


def is_warm_up(scheduler: Any) -> bool:
    """Whether a schedule begins with the training, and may be followed by a constant value."""
    if isinstance(scheduler, LinearParamScheduler):
        return bool(scheduler.start_factor <= scheduler.end_factor)
    return isinstance(scheduler, ConstantParamScheduler)


def flat(schedulers: Any) -> Iterator[Any]:
    """Yield the schedulers of one optimizer or of several, or their configs."""
    if isinstance(schedulers, list | tuple):
        for scheduler in schedulers:
            yield from flat(scheduler)
    elif isinstance(schedulers, dict) and 'type' not in schedulers:
        for scheduler in schedulers.values():
            yield from flat(scheduler)
    else:
        yield schedulers
