"""The learning rate of a config, in all places that hold one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.checks.schedule import flat
from effnet_dense.engine.settings.notes import refusal

ABSOLUTE = ('eta_min', 'eta_max', 'min_value')
"""Arguments of schedules that are rates, in the unit of the optimizer's."""


def learning_rate(config: Config, flag: str) -> float:
    """Return the optimizer's learning rate.

    Raises:
        ValueError: There is no optimizer, there are several, or it has no rate.
    """
    wrapper = config.get('optim_wrapper')
    if not wrapper:
        raise refusal(
            flag, 'the config has no optim_wrapper, it does not train', 'use another config'
        )
    optimizer = wrapper.get('optimizer')
    if not optimizer:
        names = [key for key, part in wrapper.items() if isinstance(part, dict)]
        raise refusal(
            flag,
            f'expected one optimizer in optim_wrapper, got those of {", ".join(names) or "none"}',
            'write --cfg-options optim_wrapper.NAME.optimizer.lr=…',
        )
    rate = optimizer.get('lr')
    if isinstance(rate, bool) or not isinstance(rate, int | float) or rate <= 0:
        raise refusal(
            flag,
            f'expected a rate above 0 as optim_wrapper.optimizer.lr, got {rate!r}',
            'write it in the config, or --cfg-options optim_wrapper.optimizer.lr=…',
        )
    return float(rate)


def scale_rate(config: Config, factor: float) -> None:
    """Multiply the optimizer's rate, and the rates at which schedules end or peak."""
    optimizer = config.optim_wrapper.optimizer
    optimizer.lr = _rounded(optimizer.lr * factor)
    for schedule in _rate_schedules(config):
        for name in ABSOLUTE:
            value = schedule.get(name)
            if isinstance(value, int | float) and value:
                schedule[name] = _rounded(value * factor)
            elif isinstance(value, list | tuple):
                schedule[name] = [_rounded(rate * factor) for rate in value]


def _rate_schedules(config: Config) -> Iterator[Any]:
    for schedule in flat(config.get('param_scheduler') or []):
        if not isinstance(schedule, dict) or schedule.get('param_name', 'lr') != 'lr':
            continue
        if 'Momentum' not in type_name(schedule):
            yield schedule


def _rounded(rate: float) -> float:
    """Return a rate without the noise of floating-point numbers."""
    return float(f'{rate:.12g}')
