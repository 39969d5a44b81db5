"""Compare a checkpoint's optimizer state with the optimizer that a run has built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor
from torch.optim import Optimizer

from effnet_dense.engine.resume.values import differ, same_kind, short

# Of torch's optimizers: tensors of a parameter's shape.
_ADAM = ('exp_avg', 'exp_avg_sq')
MOMENTS = (
    *('momentum_buffer', *_ADAM, 'max_exp_avg_sq', 'square_avg', 'grad_avg', 'acc_delta', 'sum'),
    'exp_inf',
)
TAKES_NO_STATE = ('foreach', 'fused', 'capturable', 'differentiable', 'maximize')


def optimizers(optim_wrapper: Any) -> dict[str, Optimizer]:
    """Return a run's optimizers by the prefix of their state's name: '' if there is one."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        return {f'{name}.': wrapper.optimizer for name, wrapper in optim_wrapper.items()}
    return {'': optim_wrapper.optimizer}


def states_of(saved: Mapping[str, Any], optim_wrapper: Any) -> dict[str, Any]:
    """Return the saved states by the same prefixes.

    Raises:
        ValueError: They are of other optimizers.
    """
    names = [name.removesuffix('.') for name in optimizers(optim_wrapper)]
    if names == ['']:
        return {'': saved}
    if set(names) != set(saved):
        raise ValueError(
            f'expected the states of the optimizers {", ".join(names)}, got {sorted(saved)}'
        )
    return {f'{name}.': saved[name] for name in names}


def check_optimizer(saved: Any, optimizer: Optimizer, trained: bool) -> None:
    """Check that an optimizer's state can be loaded, and trained with.

    Args:
        saved: What `Optimizer.state_dict` returned.
        optimizer: The one that this run has built.
        trained: There was a step before it was saved, so that parameters must have states.

    Raises:
        ValueError: A part is missing, or of other parameters or another kind of optimizer.
    """
    if not isinstance(saved, Mapping) or not (
        isinstance(saved.get('state'), Mapping) and isinstance(saved.get('param_groups'), list)
    ):
        raise ValueError(
            f"expected the optimizer's state to have 'state' and 'param_groups', got {short(saved)}"
        )
    groups = saved['param_groups']
    if len(groups) != len(optimizer.param_groups):
        raise ValueError(
            f"expected the optimizer's state to have {len(optimizer.param_groups)} groups of "
            f'parameters (optim_wrapper.paramwise_cfg), got {len(groups)}'
        )
    parameters: dict[Any, Tensor] = {}
    for number, (group, own) in enumerate(zip(groups, optimizer.param_groups, strict=True)):
        keys = _parameters_of(number, group, own)
        _check_group(group, own, optimizer)
        parameters.update(zip(keys, own['params'], strict=True))
    if len(parameters) != sum(len(own['params']) for own in optimizer.param_groups):
        raise ValueError("expected each parameter once in the groups of the optimizer's state")
    _check_states(saved['state'], parameters, _required(optimizer, groups[0]), trained)


def _parameters_of(number: int, group: Any, own: Mapping[str, Any]) -> list[int]:
    """Return the keys of a group's parameters."""
    given = group.get('params') if isinstance(group, Mapping) else None
    if not isinstance(given, list) or len(given) != len(own['params']):
        raise ValueError(
            f"expected group {number} of the optimizer's state to have {len(own['params'])} "
            f'parameters, got {len(given) if isinstance(given, list) else short(given)}'
        )
    if not all(type(key) is int for key in given):
        raise ValueError(
            f"expected a number for each parameter in group {number} of the optimizer's state, "
            f'got {short(given)}'
        )
    return given


def _check_states(
    states: Mapping[Any, Any],
    parameters: Mapping[Any, Tensor],
    required: tuple[str, ...],
    trained: bool,
) -> None:
    for key, state in states.items():
        if key not in parameters:
            raise ValueError(
                f"expected the optimizer's states of parameters 0 to {len(parameters) - 1}, got "
                f'one of {short(key)}'
            )
        _check_state(key, state, parameters[key])
        missing = [name for name in required if name not in state]
        if missing:
            raise ValueError(
                f'expected {", ".join(required)} of each parameter in the state of the optimizer, '
                f'got none of {missing[0]} for parameter {key}'
            )
    if trained and required and not states and _any_trained(parameters):
        raise ValueError(f"expected the optimizer's states ({', '.join(required)}), got none")


def _any_trained(parameters: Mapping[Any, Tensor]) -> bool:
    return any(parameter.requires_grad for parameter in parameters.values())


def _check_group(group: Mapping[str, Any], own: Mapping[str, Any], optimizer: Optimizer) -> None:
    """Check a group's values, such as the rate, except those that torch adds by itself."""
    missing = sorted(set(optimizer.defaults) - _filled(optimizer, group))
    if missing:
        raise ValueError(
            f'expected the state of {type(optimizer).__name__}, with {", ".join(missing)}, got '
            f'that of another optimizer, with {", ".join(sorted(set(group) - {"params"}))}'
        )
    for name in optimizer.defaults:
        if name in group and not same_kind(own.get(name), group[name]):
            raise ValueError(
                f"expected the optimizer's {name} to be like {short(own.get(name))}, got "
                f'{short(group[name])}'
            )


def _filled(optimizer: Optimizer, group: Mapping[str, Any]) -> set[str]:
    """Return the names in a group after torch has added those of versions since it was saved."""
    filled = {**group, 'params': []}
    probe = object.__new__(type(optimizer))
    probe.__setstate__(
        {'state': {}, 'param_groups': [filled], 'defaults': dict(optimizer.defaults)}
    )
    return set(filled)


def _check_state(key: Any, state: Any, parameter: Tensor) -> None:
    if not isinstance(state, Mapping):
        raise ValueError(
            f"expected the optimizer's state of parameter {key} to be a dictionary, got "
            f'{short(state)}'
        )
    for name, value in state.items():
        none = value is None and name == 'momentum_buffer'
        cut = name in MOMENTS and not none and getattr(value, 'shape', 0) != parameter.shape
        if cut:
            raise ValueError(
                f"expected the optimizer's {name} of parameter {key} to have shape "
                f'{tuple(parameter.shape)}, got {short(value)}'
            )
        if name == 'step' and not _is_step(value):
            raise ValueError(
                f"expected the optimizer's step of parameter {key} to be a number, at least 0, got "
                f'{short(value)}'
            )
        if isinstance(value, Tensor) and not bool(torch.isfinite(value).all()):
            raise ValueError(
                f"expected finite numbers as the optimizer's {name} of parameter {key}, got others"
            )


def _is_step(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.numel() == 1 and bool(value >= 0)
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _required(optimizer: Optimizer, group: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in each parameter's state; () for optimizers that may have none."""
    if isinstance(optimizer, torch.optim.SGD):
        return ('momentum_buffer',) if group.get('momentum') else ()
    if isinstance(optimizer, torch.optim.RMSprop):
        more = {'grad_avg': 'centered', 'momentum_buffer': 'momentum'}
        return ('step', 'square_avg', *(name for name, key in more.items() if group.get(key)))
    if isinstance(optimizer, torch.optim.Adadelta):
        return ('step', 'square_avg', 'acc_delta')
    if isinstance(optimizer, torch.optim.Adagrad):
        return ('step', 'sum')
    if isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW | torch.optim.NAdam):
        return ('step', *_ADAM, *(['max_exp_avg_sq'] if group.get('amsgrad') else []))
    return ()


def ignored_values(saved: Mapping[str, Any], optimizer: Optimizer) -> Iterator[tuple[str, str]]:
    """Yield the values that loading a state replaces, with both values and where they differ.

    Args:
        saved: A state that `check_optimizer` accepts.
        optimizer: With the values of this run's config.
    """
    pairs = list(zip(saved['param_groups'], optimizer.param_groups, strict=True))
    for name in optimizer.defaults:
        if name in TAKES_NO_STATE:
            continue
        found = [values for values in (_values(name, *pair) for pair in pairs) if differ(*values)]
        if found:
            old, new = found[0]
            where = '' if len(found) == len(pairs) else f' in {len(found)} of {len(pairs)} groups'
            yield f'optimizer.{name}', f'{short(new)} here, {short(old)} in the checkpoint{where}'


def _values(name: str, saved: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return a saved and an own value; those that schedules start from, if both have one."""
    initial = f'initial_{name}'
    key = initial if initial in saved and initial in own else name
    return saved.get(key, own[key]), own[key]
