"""Check the numbers of learning rate schedules, before they are built."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from effnet_dense.engine.checks.config_parts import numbered
from effnet_dense.engine.checks.numbers import check_integer, is_number

# Argument → its smallest value. mmengine reads T_max=0 as the whole length.
STEPS = dict(T_max=1, begin=0, end=1, step_size=1, total_steps=1, patience=0, cooldown=0)
LISTS = ('milestones', 'periods')
POSITIVE = ('gamma', 'power')
NOT_NEGATIVE = ('eta_min', 'eta_min_ratio', 'eta_max')


def check_schedule_numbers(cfg: Any) -> None:
    """Check lengths, factors and ends of the schedules of mmengine.

    Raises:
        ValueError: Names the key, its value and what is expected.
    """
    for key, node in numbered('param_scheduler', cfg.get('param_scheduler')):
        if isinstance(node, Mapping):
            _check_schedule(key, node)
        elif not hasattr(node, 'step'):  # of a Python config: one that is built
            raise ValueError(f'{key} must be a dictionary with a type, got {node!r:.100}')


def _check_schedule(key: str, node: Mapping[str, Any]) -> None:
    # The runner turns fractions of an epoch into iterations.
    fractions = bool(node.get('convert_to_iter_based')) and node.get('by_epoch', True)
    for name, value in node.items():
        if value is None:
            continue
        if name in STEPS:
            part = fractions and is_number(value) and (value > 0 or value == STEPS[name] == 0)
            if value != math.inf and not part:
                check_integer(f'{key}.{name}', value, STEPS[name])
        elif name in LISTS:
            _check_steps(f'{key}.{name}', value, fractions)
        elif name in POSITIVE and not (is_number(value) and 0 < value < math.inf):
            raise ValueError(f'{key}.{name} must be a number above 0, got {value!r}')
        elif name in NOT_NEGATIVE:
            for number in value if isinstance(value, list | tuple) else [value]:
                if not (is_number(number) and 0 <= number < math.inf):
                    raise ValueError(f'{key}.{name} must be a number, at least 0, got {value!r}')


def _check_steps(key: str, value: Any, fractions: bool) -> None:
    steps = value if isinstance(value, list | tuple) else None
    if not steps:
        raise ValueError(f'{key} must be a list of whole numbers, got {value!r}')
    for step in steps:
        if not (fractions and is_number(step) and step > 0):
            check_integer(key, step, 1)
    if key.endswith('milestones') and list(steps) != sorted(set(steps)):
        raise ValueError(f'{key} must ascend, got {value!r}')
