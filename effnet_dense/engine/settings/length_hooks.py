"""Scale the hooks that act at epochs or iterations with the length of a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.length import LengthChange
from effnet_dense.engine.settings.notes import refusal

LINES = 10
"""Least number of lines that a training by iterations logs."""
LARGEST_MOMENTUM = 0.1
LAST_EPOCHS = 15
"""YOLOXModeSwitchHook's default of `num_last_epochs`."""


def scale_hooks(config: Config, change: LengthChange) -> list[str]:
    """Scale checkpoints, averages of weights, and switches of pipelines; name what stays.

    Returns:
        A line for each argument that counts epochs and that this function does not know.

    Raises:
        ValueError: A hook acts at an epoch, in a training that shall count iterations.
    """
    lines: list[str] = []
    for key, hook in _hooks(config):
        scale = _SCALES.get(type_name(hook))
        if scale is not None:
            scale(hook, key, change)
        else:
            lines += _unknown(hook, key)
    return lines


def _hooks(config: Config) -> Iterator[tuple[str, Any]]:
    for name, hook in (config.get('default_hooks') or {}).items():
        if isinstance(hook, Mapping):
            yield f'default_hooks.{name}', hook
    for index, hook in enumerate(config.get('custom_hooks') or ()):
        if isinstance(hook, Mapping):
            yield f'custom_hooks.{index}', hook


def _unknown(hook: Any, key: str) -> list[str]:
    return [
        f'{key}.{name}={value} counts epochs and is unchanged'
        for name, value in hook.items()
        if 'epoch' in name and isinstance(value, int) and not isinstance(value, bool) and value > 0
    ]


def _checkpoint(hook: Any, key: str, change: LengthChange) -> None:
    same_unit = hook.get('by_epoch', True) == (change.old.unit == 'epoch')
    if same_unit or change.converts:
        for name in ('interval', 'save_begin'):
            if hook.get(name, 0) > 0:
                hook[name] = change.interval(hook[name]) if same_unit else 1
    if change.converts:
        hook['by_epoch'] = change.new.unit == 'epoch'
    hook['save_last'] = True


def _logger(hook: Any, key: str, change: LengthChange) -> None:
    if change.converts:
        hook['log_metric_by_epoch'] = change.new.unit == 'epoch'
    if change.new.unit == 'iteration':
        hook['interval'] = min(hook.get('interval', 10), max(change.new.count // LINES, 1))


def _ema(hook: Any, key: str, change: LengthChange) -> None:
    old, new = f'begin_{_short(change.old.unit)}', f'begin_{_short(change.new.unit)}'
    begin = hook.pop(old, 0)
    if begin:
        hook[new] = min(change.interval(begin), change.new.count)
    # ExpMomentumEMA starts with a large momentum by itself; the plain average would consist of the
    # initial weights when a short training ends.
    name = str(hook.get('ema_type', 'ExponentialMovingAverage')).rpartition('.')[2]
    if name == 'ExponentialMovingAverage' and not change.converts and change.ratio < 1:
        momentum = hook.get('momentum', 0.0002)
        scaled = 1 - (1 - momentum) ** (1 / change.ratio)
        hook['momentum'] = max(momentum, min(scaled, LARGEST_MOMENTUM))


def _short(unit: str) -> str:
    return 'epoch' if unit == 'epoch' else 'iter'


def _pipeline_switch(hook: Any, key: str, change: LengthChange) -> None:
    _check_epochs(hook, key, change)
    if change.old.unit == 'epoch':
        last = _last_epochs(change.old.count - hook['switch_epoch'], change)
        hook['switch_epoch'] = max(change.new.count - last, 0)


def _mode_switch(hook: Any, key: str, change: LengthChange) -> None:
    _check_epochs(hook, key, change)
    if change.old.unit == 'epoch':
        last = _last_epochs(hook.get('num_last_epochs', LAST_EPOCHS), change)
        hook['num_last_epochs'] = min(last, change.new.count - 1)


def _last_epochs(count: int, change: LengthChange) -> int:
    """Return the number of last epochs without mosaics: their share of the training, at least 1."""
    if count < 1:
        return count
    return max(int(count * change.ratio + 0.5), 1)


def _check_epochs(hook: Any, key: str, change: LengthChange) -> None:
    if change.new.unit == 'iteration' and change.converts:
        raise refusal(
            change.flag,
            f'{key}, {type_name(hook)}, switches pipelines at an epoch, which a training by '
            'iterations does not have',
            'write --epochs',
        )


_SCALES: dict[str, Callable[[Any, str, LengthChange], None]] = {
    'CheckpointHook': _checkpoint,
    'LoggerHook': _logger,
    'EMAHook': _ema,
    'PipelineSwitchHook': _pipeline_switch,
    'YOLOXModeSwitchHook': _mode_switch,
}
