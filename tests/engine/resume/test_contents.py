"""A training state of any form is accepted, or refused in one sentence."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer
from mmengine.optim import OptimWrapper
from mmengine.optim.scheduler import CosineAnnealingLR, LinearLR, MultiStepLR
from torch import nn

from effnet_dense.engine.resume.contents import check_contents, count_states
from effnet_dense.engine.resume.optimizer_state import check_optimizer, ignored_values
from effnet_dense.engine.resume.progress import Position, gather_progress
from effnet_dense.engine.resume.schedule_state import check_schedules, ignored_arguments
from effnet_dense.utils.saved_config import KEY

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-10, 10) | st.just(float('nan')),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
    st.just([1, 'a']),
    st.just({'a': 1}),
    st.just(torch.zeros(3)),
    st.just(np.zeros(2)),
    st.just(...),
)
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    'SGD': lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    'AdamW': lambda p: torch.optim.AdamW(p, 0.1),
    'RMSprop': lambda p: torch.optim.RMSprop(p, 0.1),
    'Adadelta': lambda p: torch.optim.Adadelta(p, 0.1),
}


def trained(make: Callable[[Any], torch.optim.Optimizer]) -> tuple[nn.Module, Any]:
    """A layer and its optimizer after a step."""
    layer = nn.Linear(2, 3)
    optimizer = make(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return layer, optimizer


def training_state() -> dict[str, Any]:
    """A complete one."""
    layer, optimizer = trained(OPTIMIZERS['SGD'])
    hub = dict(
        log_scalars={'loss': HistoryBuffer([1.0], [1])},
        runtime_info=dict(epoch=1, keep_ckpt_ids=[1], last_ckpt='a', best_score=np.float64(1)),
        resumed_keys={'loss': True},
    )
    progress = gather_progress(Position(), layer, OptimWrapper(optimizer))
    meta = {'epoch': 1, 'iter': 2, 'seed': 3, 'progress': progress, KEY: '{}'}
    schedules = [LinearLR(optimizer, start_factor=0.5, end=3).state_dict()]
    return dict(
        meta=meta,
        state_dict={},
        message_hub=hub,
        optimizer=optimizer.state_dict(),
        param_schedulers=schedules,
    )


def paths(node: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All paths into a state; of long lists, into their first entries."""
    entries = list(node.items()) if isinstance(node, dict) else []
    entries += list(enumerate(node[:2])) if isinstance(node, list) else []
    for name, child in entries:
        yield (*prefix, name)
        yield from paths(child, (*prefix, name))


def changed(state: Any, path: tuple[Any, ...], value: Any) -> Any:
    state = copy.deepcopy(state)
    node = state
    for name in path[:-1]:
        node = node[name]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return state


STATE = training_state()
OWN_PARTS = {'meta', 'message_hub', 'optimizer', 'param_schedulers'}
"""The first three are looked for before."""


def test_a_complete_state_is_accepted() -> None:
    check_contents(STATE)
    assert count_states(STATE['optimizer']) == 2
    assert count_states({'a': STATE['optimizer'], 'b': STATE['optimizer']}) == 4


@settings(max_examples=50, deadline=None, derandomize=True)
@given(path=st.sampled_from([p for p in paths(STATE) if len(p) > 1]), value=ANYTHING)
def test_any_other_state_is_accepted_or_refused(path: tuple[Any, ...], value: Any) -> None:
    try:
        check_contents(changed(STATE, path, value))
    except ValueError as error:
        assert 'expected' in str(error) and '\n' not in str(error)


@pytest.mark.parametrize('kind', OPTIMIZERS)
def test_an_accepted_optimizer_state_trains(kind: str) -> None:
    """Or the state is refused in one sentence: no error comes later."""
    layer, optimizer = trained(OPTIMIZERS[kind])
    saved = optimizer.state_dict()
    check_optimizer(saved, optimizer, True)
    assert list(ignored_values(saved, optimizer)) == []

    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(path=st.sampled_from(list(paths(saved))), value=ANYTHING)
    def run(path: tuple[Any, ...], value: Any) -> None:
        if path[-1] in ('capturable', 'fused', 'differentiable', 'foreach'):
            return  # depend on the device
        other = changed(saved, path, value)
        fresh_layer = copy.deepcopy(layer)
        fresh = OPTIMIZERS[kind](fresh_layer.parameters())
        try:
            check_optimizer(other, fresh, True)
        except ValueError as error:
            assert '\n' not in str(error)
            return
        list(ignored_values(other, fresh))
        fresh.load_state_dict(other)
        fresh_layer(torch.ones(1, 2)).sum().backward()
        fresh.step()

    run()


@pytest.mark.parametrize('kind', [LinearLR, CosineAnnealingLR, MultiStepLR])
def test_an_accepted_schedule_state_steps(kind: Any) -> None:
    arguments: dict[Any, dict[str, Any]] = {
        LinearLR: dict(start_factor=0.5, end=3),
        CosineAnnealingLR: dict(T_max=3),
        MultiStepLR: dict(milestones=[1, 2]),
    }

    def build() -> tuple[Any, Any]:
        _, optimizer = trained(OPTIMIZERS['SGD'])
        return optimizer, kind(optimizer, **arguments[kind])

    saved = [build()[1].state_dict()]
    assert list(ignored_arguments(saved, [build()[1]])) == []

    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(path=st.sampled_from([p for p in paths(saved) if len(p) > 1]), value=ANYTHING)
    def run(path: tuple[Any, ...], value: Any) -> None:
        other = changed(saved, path, value)
        optimizer, scheduler = build()
        try:
            check_schedules(other, [scheduler])
        except ValueError as error:
            assert '\n' not in str(error)
            return
        if isinstance(value, int | float) and value <= 0:
            return  # a length or number of 0 is of the right kind
        list(ignored_arguments(other, [scheduler]))
        scheduler.load_state_dict(other[0])
        optimizer.step()
        scheduler.step()

    run()
