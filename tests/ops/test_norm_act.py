"""Which operator runs a norm and its activation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from effnet_dense.ops import fused_norm, norm_act
from tests.helpers.triton_kernels import triton_on_cpu

Arguments = tuple[Tensor, nn.BatchNorm2d]


def example() -> Arguments:
    x = torch.randn(2, 8, 5, 4, generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=torch.channels_last), nn.BatchNorm2d(8)


def check(x: Tensor, norm: nn.BatchNorm2d, act: str, gates: Tensor | None) -> None:
    """Both functions give what PyTorch's separate operators give."""
    right = dict(silu=F.silu, relu6=F.relu6)[act](nn.BatchNorm2d(8)(x))
    own = norm.weight.detach(), norm.bias.detach()
    out, *batch = norm_act.norm_act_in_training(x, *own, norm, act, False)
    torch.testing.assert_close(out, right)
    given = () if gates is None else (gates,)
    again = norm_act.norm_act(x, *batch, *own, act, *given)
    torch.testing.assert_close(again, right if gates is None else right * gates)


def test_on_cpus() -> None:
    x, norm = example()
    own = norm.weight, norm.bias
    assert norm_act.supports(x, *own, 'silu') is fused_norm.supports(x, *own)
    assert not norm_act.supports(x, *own, 'relu6')
    assert not norm_act.takes_neighbours(x)
    if not fused_norm.is_available():
        pytest.skip('no C++ compiler, or torch rounds in another way on this processor')
    check(x, norm, 'silu', None)


def test_by_triton() -> None:
    x, norm = example()
    with triton_on_cpu() as launched:
        assert norm_act.supports(x, norm.weight, norm.bias, 'relu6')
        assert norm_act.takes_neighbours(x)
        check(x, norm, 'relu6', torch.rand(2, 8, 1, 1))
        assert launched == ['moments', 'statistics', 'activate', 'activate']
