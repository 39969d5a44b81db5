"""The numbers in which a training computes."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from mmengine.config import Config

from effnet_dense.engine.config import load_config
from effnet_dense.engine.flags import use_amp
from effnet_dense.engine.settings.precision import set_precision


def config(**wrapper: Any) -> Config:
    """A training by SGD."""
    return Config(dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0), **wrapper)))


def gpu(monkeypatch: pytest.MonkeyPatch, bfloat16: bool) -> None:
    """Pretend that there is a GPU."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: bfloat16)
    monkeypatch.setattr(torch.cuda, 'device', nullcontext)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: 'T4')


def test_bfloat16_needs_no_loss_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, bfloat16=True)
    built = config(type='AmpOptimWrapper', loss_scale=512.0, clip_grad=dict(max_norm=1))
    set_precision(built, 'bf16')
    wrapper = built.optim_wrapper
    assert (wrapper.type, wrapper.dtype) == ('AmpOptimWrapper', 'bfloat16')
    assert wrapper.loss_scale == dict(enabled=False)
    assert wrapper.clip_grad == dict(max_norm=1)
    set_precision(built, 'fp16')
    assert (wrapper.type, wrapper.dtype, wrapper.loss_scale) == (
        'AmpOptimWrapper',
        'float16',
        'dynamic',
    )
    set_precision(built, 'fp32')
    assert set(wrapper) == {'type', 'optimizer', 'clip_grad'} and wrapper.type == 'OptimWrapper'


@pytest.mark.parametrize(('bfloat16', 'dtype'), [(True, 'bfloat16'), (False, 'float16')])
def test_amp_is_bfloat16_where_the_gpu_has_it(
    monkeypatch: pytest.MonkeyPatch, bfloat16: bool, dtype: str
) -> None:
    gpu(monkeypatch, bfloat16)
    built = config()
    use_amp(built)
    assert built.optim_wrapper.dtype == dtype


def test_on_the_chosen_device(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, bfloat16=True)
    built = config()
    built.device = 'cpu'
    set_precision(built, 'bf16')
    assert built.optim_wrapper.type == 'CPUAmpOptimWrapper'


def test_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match='--precision fp32: the config has no optim_wrapper'):
        set_precision(Config({}), 'fp32')
    with pytest.raises(ValueError, match='got MyWrapper; set that wrapper'):
        set_precision(config(type='MyWrapper'), 'bf16')
    cpu = config()
    cpu.device = 'cpu'
    with pytest.raises(
        ValueError, match=r'--precision fp16: .* needs a GPU; write --precision bf16'
    ):
        set_precision(cpu, 'fp16')
    gpu(monkeypatch, bfloat16=False)
    with pytest.raises(ValueError, match='T4 does not compute in bfloat16; write --precision fp16'):
        set_precision(config(), 'bf16')


def test_losses_of_probabilities_need_float32_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, bfloat16=True)
    built = load_config('effnet_b0_tood_coco')
    for precision in ('fp16', 'bf16'):
        with pytest.raises(ValueError, match=r'FocalLoss of TOOD takes probabilities .* fp32'):
            set_precision(built, precision)
    set_precision(built, 'fp32')
    built.device = 'cpu'
    set_precision(built, 'bf16')
    set_precision(load_config('effnet_b0_gfl_coco'), 'bf16')
