"""Update parameters of equal settings together, as one group of torch's fused optimizers.

mmengine makes a group of each parameter if `paramwise_cfg` is set: EfficientDet-D0 has 460, and as
many launches a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MethodType
from typing import Any

from mmengine.optim import OptimWrapperDict
from torch import Tensor
from torch.optim import Optimizer

NO_SETTINGS = ('params', 'param_names', 'initial_lr')
"""Entries of a group that do not change its update."""

Group = dict[str, Any]


def step_in_merged_groups(optim_wrapper: Any) -> None:
    """Let fused optimizers take each step with as few groups as there are different settings.

    Between steps groups are as they were built, for schedules and checkpoints.

    Args:
        optim_wrapper: One of mmengine's, or several; changed in place.
    """
    several = isinstance(optim_wrapper, OptimWrapperDict)
    for wrapper in optim_wrapper.values() if several else [optim_wrapper]:
        optimizer = wrapper.optimizer
        if 'step' not in vars(optimizer) and all(g.get('fused') for g in optimizer.param_groups):
            optimizer.step = MethodType(_merged_step, optimizer)


def _merged_step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
    """Call the class's `step` on merged groups."""
    groups = self.param_groups
    self.param_groups = merge_groups(groups, self.state)
    try:
        return type(self).step(self, *args, **kwargs)
    finally:
        self.param_groups = groups


def merge_groups(groups: list[Group], state: Mapping[Tensor, Any]) -> list[Group]:
    """Join groups of equal settings; those with a tensor among them, such as the rate, stay.

    Args:
        groups: Of an optimizer.
        state: The optimizer's. Parameters with and without one are not joined: torch's fused SGD
            takes a momentum of all parameters of a group, or of none.
    """
    merged: dict[Any, Group] = {}
    for number, group in enumerate(groups):
        settings = {name: value for name, value in group.items() if name not in NO_SETTINGS}
        plain = not any(isinstance(value, Tensor) for value in settings.values())
        begun = any(state.get(parameter) for parameter in group['params'])
        key = (repr(sorted(settings.items())), begun) if plain else number
        if key in merged:
            merged[key]['params'] += group['params']
        else:
            merged[key] = {**group, 'params': list(group['params'])}
    return list(merged.values())
