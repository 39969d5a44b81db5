"""The norm's operators for CUDA: their registration and their division of work.

`test_triton_norm` has their results.
"""

from __future__ import annotations

import torch
from torch import library, nn

from effnet_dense.ops import triton_norm
from effnet_dense.ops import triton_norm_operators as operators
from tests.helpers.triton_kernels import triton_on_cpu


def test_shares_of_programs() -> None:
    plan = operators._plan.__wrapped__
    # 200 channels in blocks of 64, 32 pixels at a time; 512 programs for each block.
    large = plan(1, 200, 512 * 512, True)
    assert large.blocks == dict(BLOCK_P=32, BLOCK_C=64)
    assert (large.share, large.splits, large.grid) == (512, 512, (4, 512, 1))
    assert plan(1, 200, 300, False).blocks == dict(BLOCK_P=512, BLOCK_C=4)
    assert plan(64, 2000, 100, True).grid == (32, 1, 64)


def test_registered_as_torch_wants_it() -> None:
    x, gradient = torch.randn(2, 2, 8, 5, 4).unbind()
    with triton_on_cpu():
        check_registration(x, gradient, nn.BatchNorm2d(8))


def check_registration(x: torch.Tensor, gradient: torch.Tensor, norm: nn.BatchNorm2d) -> None:
    parts = (*triton_norm.statistics(x, norm), norm.weight.detach(), norm.bias.detach())
    ops = torch.ops.effnet_dense
    gate = torch.rand(2, 8)
    for operator, inputs in (
        (ops.triton_norm_statistics, (x, torch.zeros(8), torch.ones(8), 0.1, 1e-3)),
        (ops.triton_norm_act, (x, *parts, 'silu', gate, None)),
        (ops.triton_norm_act, (x, *parts, 'silu', None, [0, 1, 1, 2])),
        (ops.triton_norm_means, (x, *parts, 'silu')),
        (ops.triton_norm_sums, (gradient, x, *parts, 'silu', False, None)),
        (ops.triton_norm_sums, (gradient, x, *parts, 'silu', True, None)),
        (
            ops.triton_norm_input_gradient,
            (gradient, x, *parts, torch.ones(2, 8), gate, gate, torch.zeros_like(x), 'silu', None),
        ),
    ):
        tests = 'test_schema', 'test_faketensor'
        library.opcheck(operator.default, inputs, test_utils=tests)
