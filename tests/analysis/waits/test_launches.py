"""Kernels of an operator, by hand."""

from __future__ import annotations

import torch

from effnet_dense.analysis.waits.launches import CHUNK, CUDA_12, grouped_launches, launches

aten = torch.ops.aten
SMALL = torch.empty(10)


def test_lists_fill_kernels() -> None:
    assert grouped_launches([SMALL] * 110, 1, CUDA_12) == 1
    assert grouped_launches([SMALL] * 111, 1, CUDA_12) == 2
    assert grouped_launches([SMALL] * 310, 3, CUDA_12) == 7  # 310 ÷ 48
    assert grouped_launches([SMALL] * 336, 3) == 1
    assert grouped_launches([torch.empty(0)], 1) == 0


def test_large_tensors_fill_blocks() -> None:
    large = torch.empty(320 * CHUNK, device='meta')
    assert grouped_launches([large], 2, CUDA_12) == 1
    assert grouped_launches([large, SMALL], 2, CUDA_12) == 2
    assert grouped_launches([large] * 7, 2) == 1
    assert grouped_launches([large] * 8, 2) == 2


def test_one_operator() -> None:
    assert launches(aten.add.Tensor, (SMALL, SMALL)) == 1
    assert launches(aten.view.default, (SMALL, [10])) == 0
    assert launches(aten.empty.memory_format, ([2],)) == 0
    lists = ([SMALL] * 449, [SMALL] * 449)
    assert launches(aten._foreach_lerp_.Scalar, (*lists, 0.1)) == 2
    steps = [torch.ones(())] * 36
    adam = ([SMALL] * 36, [SMALL] * 36, [SMALL] * 36, [SMALL] * 36, [], steps)
    assert launches(aten._fused_adamw_.default, adam) == 1
