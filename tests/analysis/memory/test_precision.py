"""A GPU's autocast on the CPU."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from effnet_dense.analysis.memory.precision import GPUAutocast, check_precision, config_precision


def test_what_a_gpu_computes_in_float32() -> None:
    x = torch.rand(1, 2, 4, 4).bfloat16()
    conv = torch.nn.Conv2d(2, 2, 1)
    with GPUAutocast(), torch.autocast('cpu', torch.bfloat16):
        for y in (
            *(x**2, x.pow(2), x.exp(), torch.log(x), x.sum(), x.softmax(1), F.softmax(x, 1)),
            *(F.interpolate(x, scale_factor=2), F.group_norm(x, 1), F.smooth_l1_loss(x, x)),
        ):
            assert y.dtype == torch.float32
        for y in (conv(x.float()), F.silu(x), x + x, F.max_pool2d(x, 2), x.sigmoid()):
            assert y.dtype == torch.bfloat16
    with GPUAutocast():
        assert x.exp().dtype == torch.bfloat16


def test_precision_of_a_config() -> None:
    def named(**wrapper: str) -> str:
        return config_precision(Config(dict(optim_wrapper=wrapper)))

    assert named(type='OptimWrapper') == 'fp32'
    assert named(type='AmpOptimWrapper') == 'fp16'
    assert named(type='AmpOptimWrapper', dtype='bfloat16') == 'bf16'


def test_unknown_precision() -> None:
    with pytest.raises(ValueError, match=r"one of \['fp32', 'bf16', 'fp16'\], got 'fp8'"):
        check_precision('fp8')
