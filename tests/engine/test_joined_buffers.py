"""Buffers in one tensor: the averages' bits, fewer kernels, and checkpoints as without."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from mmdet.models.layers.ema import ExpMomentumEMA
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from effnet_dense.engine.config import load_config
from effnet_dense.engine.hooks.averages import TWO_ROUNDINGS, update_averages
from effnet_dense.engine.joined_buffers import join_buffers
from effnet_dense.engine.merged_groups import step_in_merged_groups
from tests.helpers.launches import LARGE_ARGUMENTS, SMALL_ARGUMENTS, ListOperators, launches


def network() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.Conv2d(5, 3, 1))
    return model.append(nn.BatchNorm2d(3).double().float()).train()


def step(model: nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    with torch.no_grad():
        model(torch.randn(2, 3, 8, 8))
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))


def test_bits_are_those_of_separate_buffers() -> None:
    states = []
    for join in (False, True):
        model = network()
        averages = ExpMomentumEMA(model, momentum=0.1, update_buffers=True)
        buffers = list(model.buffers())
        joined = join_buffers(averages, model, 'cpu') if join else []
        assert all(a is b for a, b in zip(buffers, model.buffers(), strict=True))
        for number in range(4):
            step(model, number)
            update_averages(averages, model, joined)
        states.append({**model.state_dict(), **averages.state_dict()})
    (one,) = joined
    assert len(one.names) == 4
    assert one.average.shape == (4 * 64,)
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert torch.equal(states[1][name], value), name


def test_only_gpus_by_default_and_not_what_shares_memory() -> None:
    model = network()
    model[1].running_var = model[1].running_mean
    averages = ExpMomentumEMA(model, update_buffers=True)
    assert join_buffers(averages, model) == []
    (joined,) = join_buffers(averages, model, 'cpu')
    assert joined.names == ['3.running_mean', '3.running_var']


def test_buffers_that_were_replaced_are_averaged_apart() -> None:
    model = network()
    averages = ExpMomentumEMA(model, momentum=0.5, update_buffers=True)
    joined = join_buffers(averages, model, 'cpu')
    update_averages(averages, model, joined)
    model[1].running_mean = torch.full((5,), 2.0)
    update_averages(averages, model, joined)
    assert bool((averages.module[1].running_mean > 0.9).all())


def test_copies_and_files_have_their_own() -> None:
    model = network()
    join_buffers(ExpMomentumEMA(model, update_buffers=True), model, 'cpu')
    step(model, 0)
    copied, file = copy.deepcopy(model), io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    expected = {name: value.clone() for name, value in model.state_dict().items()}
    step(model, 1)
    assert not torch.equal(model[1].running_mean, expected['1.running_mean'])
    for found in (copied.state_dict(), loaded):
        for name, value in expected.items():
            assert torch.equal(found[name], value)
    network().load_state_dict(loaded)


@pytest.fixture(scope='module')
def calls() -> list[tuple[str, int, list[int]]]:
    """Calls of D0's optimizer and averages in one step."""
    config: Any = load_config('efficientdet_d0_coco')
    init_default_scope('mmdet')
    config.model.backbone.init_cfg = None
    model = MODELS.build(config.model)
    config.optim_wrapper.optimizer.fused = True
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    step_in_merged_groups(wrapper)
    averages = ExpMomentumEMA(model, update_buffers=True)
    joined = join_buffers(averages, model, 'cpu')
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for _ in range(2):  # momentum begins with the second
        with ListOperators() as recorded:
            wrapper.optimizer.step()
            update_averages(averages, model, joined)
    return recorded.calls


@pytest.mark.parametrize(('limits', 'most'), [(SMALL_ARGUMENTS, 19), (LARGE_ARGUMENTS, 4)])
def test_kernels_of_a_step_of_d0(
    calls: list[tuple[str, int, list[int]]], limits: dict[int, int], most: int
) -> None:
    averaging = [call for call in calls if 'foreach' in call[0]]
    assert len(averaging) == 1 + TWO_ROUNDINGS  # on a GPU one of them
    once = [call for call in calls if call not in averaging] + averaging[-1:]
    assert [lists for _, lists, _ in once] == [3, 3, 2]
    assert sum(launches(sizes, lists, limits) for _, lists, sizes in once) == most


def test_launches_by_hand() -> None:
    assert launches([1] * 64, 2, SMALL_ARGUMENTS) == 1
    assert launches([1] * 65, 2, SMALL_ARGUMENTS) == 2
    assert launches([65536 * 321], 2, SMALL_ARGUMENTS) == 2
    assert launches([65536 * 320], 2, SMALL_ARGUMENTS) == 1
    assert launches([1, 0, 1], 3, SMALL_ARGUMENTS) == 1
