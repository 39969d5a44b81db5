"""Fused optimizers: on GPUs, where the config has not chosen."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from effnet_dense.engine.fused_steps import FUSED, with_fused_steps


def test_on_a_gpu_torchs_optimizers_are_fused() -> None:
    config = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.1), clip_grad=None)
    expected = dict(config, optimizer=dict(type='AdamW', lr=0.1, fused=True))
    assert with_fused_steps(config, 'cuda') == expected
    assert 'fused' not in config['optimizer'], 'the config is left as it is'
    assert with_fused_steps(config, 'cpu') is config


@pytest.mark.parametrize(
    'wrapper',
    [
        dict(optimizer=dict(type='AdamW', foreach=True)),
        dict(optimizer=dict(type='SGD', fused=False)),
        dict(optimizer=dict(type='Lion')),
        dict(constructor='x', head=dict(optimizer=dict(type='SGD'))),
        None,
    ],
)
def test_other_choices_stay(wrapper: Any) -> None:
    assert with_fused_steps(wrapper, 'cuda') is wrapper


@pytest.mark.parametrize('name', FUSED)
def test_torch_has_them(name: str) -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = getattr(torch.optim, name)([parameter], lr=0.1, fused=True)
    parameter.grad = torch.ones(3)
    optimizer.step()
    assert (parameter < 1).all()
