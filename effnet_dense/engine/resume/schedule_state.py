"""Compare a checkpoint's schedules with those that a run has built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Number
from typing import Any

from effnet_dense.engine.checks.signatures import arguments_of
from effnet_dense.engine.resume.values import differ, same_kind, short

PER_GROUP = ('base_values', '_last_value')
INSTEAD = 'write the param_scheduler of the checkpoint, or start from its weights'


def pairs(saved: Any, built: Any) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Yield each schedule's key, saved state and built object.

    Args:
        saved: `param_schedulers` of a checkpoint.
        built: mmengine's schedulers, in a list or in lists by optimizer.

    Raises:
        ValueError: They are of other numbers.
    """
    if isinstance(saved, Mapping) != isinstance(built, Mapping):
        raise ValueError(
            'expected schedules of one optimizer, or of several, as in this run; got '
            f'{short(sorted(saved)) if isinstance(saved, Mapping) else "those of one"}'
        )
    if isinstance(built, Mapping):
        if set(saved) != set(built):
            raise ValueError(
                f'expected schedules of the optimizers {", ".join(sorted(built))}, got those of '
                f'{", ".join(map(str, sorted(saved)))}'
            )
        for name in built:
            for key, state, scheduler in pairs(saved[name], built[name]):
                yield key.replace('.', f'.{name}.', 1), state, scheduler
        return
    if len(saved) != len(built):
        raise ValueError(
            f'this run has {len(built)} schedules (param_scheduler), the checkpoint {len(saved)}: '
            f'{INSTEAD}'
        )
    for index, (state, scheduler) in enumerate(zip(saved, built, strict=True)):
        yield f'param_scheduler.{index}', state, scheduler


def check_schedules(saved: Any, built: Any) -> None:
    """Check that the states of schedules can be loaded.

    Raises:
        ValueError: They are of other numbers or kinds, or of other groups of parameters; or what
            they set has fallen to 0 before this run ends.
    """
    for key, state, scheduler in pairs(saved, built):
        own = {k: v for k, v in scheduler.state_dict().items() if not callable(v)}
        name = f'{key} ({type(scheduler).__name__} of {scheduler.param_name})'
        if set(own) - set(state) or state['param_name'] != scheduler.param_name:
            raise ValueError(
                f'{name} cannot resume from the state of another schedule, which lacks '
                f'{", ".join(sorted(set(own) - set(state))) or scheduler.param_name}: {INSTEAD}'
            )
        newer = sorted(map(str, set(state) - set(scheduler.state_dict())))
        if newer:
            raise ValueError(
                f'{name} cannot resume from a state with fields of another schedule or of a newer '
                f'version, {", ".join(newer)}: {INSTEAD}'
            )
        for field, value in own.items():
            fits = same_kind(value, state[field])
            if fits and field in PER_GROUP:
                fits = len(value) == len(state[field]) and all(map(same_kind, value, state[field]))
            if fits and isinstance(value, Mapping):  # milestones and how often they occur
                fits = all(
                    isinstance(number, Number) for pair in state[field].items() for number in pair
                )
            if not fits:
                raise ValueError(
                    f'expected {field} of {name} to be like {short(value)}, got '
                    f'{short(state[field])}'
                )
        end, longer = state.get('end'), own.get('end')
        if end is not None and longer > end and state.get('eta_min') == 0:
            unit = 'epochs' if scheduler.by_epoch else 'iterations'
            raise ValueError(
                f'{name} has fallen to 0 after {end} {unit}, and resuming does not lengthen it: '
                f'expected a training of that length, got {longer}; finish it, then train longer '
                'with --from FOLDER'
            )


def ignored_arguments(saved: Any, built: Any) -> Iterator[tuple[str, str]]:
    """Yield the arguments of schedules that loading their states replaces, with both values."""
    for key, state, scheduler in pairs(saved, built):
        own = scheduler.state_dict()
        unit = 'epochs' if scheduler.by_epoch else 'iterations'
        for name in arguments_of(type(scheduler)) or {}:
            if name in ('last_step', 'verbose') or name not in own or name not in state:
                continue
            old, new = _plain(state[name]), _plain(own[name])
            if differ(old, new):
                yield (
                    f'{key}.{name}',
                    f'{short(new)} here, {short(old)} in the checkpoint (in {unit})'
                    if name in ('begin', 'end', 'T_max', 'milestones', 'step_size')
                    else f'{short(new)} here, {short(old)} in the checkpoint',
                )


def _plain(value: Any) -> Any:
    """Return milestones, which are counted, as a list."""
    return sorted(value) if isinstance(value, Mapping) else value
