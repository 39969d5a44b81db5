"""Scale the schedules of learning rate and momentum with the length of a training."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.config import Config, ConfigDict

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.checks.schedule import NEVER
from effnet_dense.engine.settings.length import LengthChange, plural, tidy
from effnet_dense.engine.settings.notes import refusal

POSITIONS = ('begin', 'end', 'T_max', 'step_size', 'total_steps')
LISTS = ('milestones', 'periods')
FACTOR_PER_STEP = ('ExponentialLR', 'ExponentialMomentum', 'ExponentialParamScheduler')
"""Schedules whose `gamma` applies at each step."""
WARM_UPS = ('LinearLR', 'ConstantLR', 'QuadraticWarmupLR', 'LinearMomentum', 'ConstantMomentum')
WARM_UP_SHARE = 0.1
"""Largest share of a training that a warm-up counted in iterations takes.

Its length in the config is one for large datasets: 500 iterations are more than an entire training
on a hundred images."""


def scale_schedules(config: Config, change: LengthChange) -> list[str]:
    """Scale all schedules, so that they end with the training and keep their shape.

    Positions in the training's own unit scale in proportion. A warm-up in iterations of a training
    in epochs keeps its length, up to `WARM_UP_SHARE` of the training.

    Returns:
        What was left out, since the new training is too short for it.

    Raises:
        ValueError: A schedule counts iterations, or epochs, that cannot be converted.
    """
    schedules = config.get('param_scheduler')
    if not schedules:
        return []
    scaling = _Scaling(config, change)
    config.param_scheduler = scaling.all(schedules, 'param_scheduler')
    return scaling.dropped


class _Scaling:
    """Scale schedules; collects those that were left out."""

    def __init__(self, config: Config, change: LengthChange) -> None:
        self.config = config
        self.change = change
        self.dropped: list[str] = []

    def all(self, node: Any, key: str) -> Any:
        """Return scaled schedules, of one optimizer or several."""
        if isinstance(node, list | tuple):
            scaled = [self.all(child, f'{key}.{index}') for index, child in enumerate(node)]
            return [child for child in scaled if child is not None]
        if not isinstance(node, Mapping):
            return node  # built already
        if 'type' not in node:
            named = {name: self.all(child, f'{key}.{name}') for name, child in node.items()}
            return ConfigDict({name: child for name, child in named.items() if child})
        return self.one(dict(node), key)

    def one(self, node: dict[str, Any], key: str) -> Any:
        """Return a scaled schedule; None if the new training has no room for it."""
        change = self.change
        by_epoch = node.get('by_epoch', True)
        if by_epoch != (change.old.unit == 'epoch'):
            return self.of_other_unit(node, key)
        for name in POSITIONS:
            if isinstance(node.get(name), int | float) and node[name] < NEVER:
                node[name] = change.position(node[name])
        if node.get('milestones'):
            node['milestones'] = sorted({change.position(s) for s in node['milestones']} - {0})
        if node.get('periods'):
            node['periods'] = periods_at(node['periods'], change.position)
        self.scale_factor(node)
        node.pop('convert_to_iter_based', None)
        node['by_epoch'] = change.new.unit == 'epoch'
        if node['by_epoch'] and (has_fractions(node) or self.was_smooth(key)):
            node['convert_to_iter_based'] = True
        return ConfigDict(self.checked(node, key)) if self.fits(node, key) else None

    def was_smooth(self, key: str) -> bool:
        """Whether a schedule changed its value at each iteration."""
        node: Any = self.config
        for name in key.split('.'):
            node = node[int(name)] if isinstance(node, list | tuple) else node[name]
        smooth = node.get('convert_to_iter_based') or not node.get('by_epoch', True)
        return bool(smooth) and type_name(node) not in FACTOR_PER_STEP

    def scale_factor(self, node: dict[str, Any]) -> None:
        if type_name(node) in FACTOR_PER_STEP and node.get('gamma'):
            node['gamma'] = node['gamma'] ** (1 / self.change.ratio)

    def fits(self, node: dict[str, Any], key: str) -> bool:
        """Whether a schedule has steps left; a warm-up in one step would never end."""
        begin, end = node.get('begin', 0), node.get('end', NEVER)
        steps = 2 if is_warm_up(node) and not node['by_epoch'] else 1e-9
        empty = 'milestones' in node and not node['milestones']
        if end - begin >= steps and not empty:
            return True
        self.dropped.append(f'{type_name(node)} ({key})')
        return False

    def checked(self, node: dict[str, Any], key: str) -> dict[str, Any]:
        for name in ('T_max', 'step_size', 'total_steps'):
            if name in node and not node['by_epoch']:
                node[name] = max(node[name], 1)
        return node

    def of_other_unit(self, node: dict[str, Any], key: str) -> Any:
        """Scale a schedule that counts iterations in a training by epochs, or the reverse."""
        change = self.change
        if change.old.unit == 'iteration':  # counts epochs, of which there are none
            if change.converts:
                raise refusal(
                    change.flag,
                    f'{key} counts epochs in a training that counts iterations',
                    f'write {key}.by_epoch=False and its positions in iterations',
                )
            return ConfigDict(node)
        if is_warm_up(node):
            if change.new.unit == 'iteration':
                node['end'] = min(node['end'], int(change.new.count * WARM_UP_SHARE))
                return ConfigDict(node) if self.fits(node, key) else None
            self.config.max_warm_up = WARM_UP_SHARE
            return ConfigDict(node)
        if change.new.unit == 'iteration':
            raise refusal(
                change.flag,
                f'{key} counts iterations in a training of {plural(change.old.count, "epoch")}, '
                'whose number of iterations is unknown here',
                'write --epochs',
            )
        for name in (*POSITIONS, *LISTS):
            value = node.get(name)
            if isinstance(value, list | tuple):
                steps = (max(round(step * change.ratio), 1) for step in value)
                node[name] = list(steps) if name == 'periods' else sorted(set(steps))
            elif isinstance(value, int | float) and value < NEVER:
                node[name] = round(value * change.ratio)
        return ConfigDict(node)


def periods_at(periods: Sequence[float], position: Callable[[float], float]) -> list[float]:
    """Return periods of a scaled training, whose ends are where `position` moves the old ends."""
    ends = [position(end) for end in itertools.accumulate(periods)]
    return [tidy(end - start) or 1 for start, end in zip([0, *ends], ends, strict=False)]


def is_warm_up(node: Mapping[str, Any]) -> bool:
    """Whether a schedule's config raises a value, or holds a smaller one, from the start."""
    name, end = type_name(node), node.get('end', NEVER)
    if name not in WARM_UPS or end >= NEVER or node.get('begin', 0):
        return False
    rises = node.get('start_factor', 1 / 3) <= node.get('end_factor', 1.0)
    return bool(rises) if name.startswith('Linear') else True


def has_fractions(node: Mapping[str, Any]) -> bool:
    """Whether a schedule's config has positions inside of epochs."""
    values = [node.get(name) for name in POSITIONS]
    values += [step for name in LISTS for step in node.get(name) or ()]
    return any(isinstance(value, float) and not value.is_integer() for value in values)
