"""Batch norm that returns its statistics: the bits of torch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from effnet_dense.ops.batch_norm import apply_statistics, batch_norm, batch_statistics, group_of


def example() -> tuple[nn.BatchNorm2d, Tensor]:
    generator = torch.Generator().manual_seed(0)
    norm = nn.BatchNorm2d(24, eps=1e-3, momentum=0.01)
    for tensor in (norm.weight, norm.bias):
        nn.init.normal_(tensor, generator=generator)
    return norm, 4 * torch.randn(2, 24, 37, 29, generator=generator) + 1


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
def test_as_the_module(dtype: torch.dtype, memory_format: torch.memory_format) -> None:
    norm, x = example()
    x = x.to(dtype).contiguous(memory_format=memory_format)
    norm = norm.double() if dtype == torch.float64 else norm
    theirs = copy.deepcopy(norm)
    with torch.no_grad():
        out, *statistics = batch_norm(x, norm.weight, norm.bias, norm)
        expected = theirs(x)
        assert torch.equal(out, expected)
        assert torch.equal(apply_statistics(x, norm.weight, norm.bias, *statistics), expected)
    for a, b in zip(norm.buffers(), theirs.buffers(), strict=True):
        assert torch.equal(a, b)


def test_statistics_alone() -> None:
    norm, x = example()
    other, x = copy.deepcopy(norm), x.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        _, *expected = batch_norm(x, norm.weight, norm.bias, norm)
        found = batch_statistics(x, other)
    pairs = zip((*found, *other.buffers()), (*expected, *norm.buffers()), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_one_value_per_channel() -> None:
    with pytest.raises(ValueError, match=r'more than one value per channel, got \(1, 3, 1, 1\)'):
        batch_norm(torch.zeros(1, 3, 1, 1), None, None, nn.BatchNorm2d(3))


def test_no_group_in_one_process() -> None:
    assert group_of(nn.SyncBatchNorm(3)) is None
    assert group_of(nn.BatchNorm2d(3)) is None
