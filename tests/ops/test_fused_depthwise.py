"""The operator against torch's, in double precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, library

from effnet_dense.ops.fused_depthwise import GROUP, fused_depthwise, grouped

pytestmark = pytest.mark.compiler

PADDINGS = {3: (1, 1, 1, 1), 5: (2, 2, 2, 2)}  # top, bottom, left, right
Weights = tuple[Tensor | None, Tensor | None, Tensor, Tensor]


def tensors(shape: tuple[int, ...], size: int, channels: int | None = None) -> tuple[Tensor, Any]:
    """A feature, and weights: (C, B) and (C,) with `channels`, or None; (C, 1, k, k) and (C,)."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    x, inputs = 4 * draw(*shape), shape[1]
    expansion = (None, None)
    if channels is not None:
        expansion = (draw(channels, inputs) / inputs**0.5, draw(channels))
    channels = channels or inputs
    return x, (*expansion, draw(channels, 1, size, size), draw(channels))


def expected(
    x: Tensor,
    weights: Weights,
    stride: int,
    padding: Any,
    activate: bool,
) -> Any:
    top, bottom, left, right = padding
    expand, expand_bias, weight, bias = (None if w is None else w.double() for w in weights)
    x = x.double()
    if expand is not None:
        x = F.conv2d(x, expand[:, :, None, None], expand_bias)
    x = F.pad(F.silu(x) if activate else x, (left, right, top, bottom))
    out = F.silu(F.conv2d(x, weight, bias, stride, groups=len(weight)))
    return out.float(), out.mean((2, 3)).float()


def arguments(weights: Weights) -> tuple[Any, ...]:
    expand, expand_bias, weight, bias = weights
    expansion = [] if expand is None else [grouped(expand), grouped(expand_bias)]
    return expansion, grouped(weight[:, 0]), grouped(bias), len(bias)


def check(
    x: Tensor,
    weights: Weights,
    stride: int,
    padding: Any,
    activate: bool,
) -> None:
    """Equal to rounding, as shares of the largest."""
    found = fused_depthwise(x, *arguments(weights), stride, padding, activate)
    right = expected(x, weights, stride, padding, activate)
    for ours, theirs in zip(found, right, strict=True):
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6 * float(theirs.abs().max()))


@pytest.mark.parametrize('activate', [True, False])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('size', [3, 5])
@pytest.mark.parametrize('shape', [(1, 32, 12, 14), (2, 72, 9, 7), (1, 21, 1, 1), (3, 1, 6, 5)])
def test_equals_torch(shape, size, stride, activate) -> None:
    check(*tensors(shape, size), stride, PADDINGS[size], activate)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('size', [3, 5])
@pytest.mark.parametrize('channels', [32, 48, 77])
@pytest.mark.parametrize('shape', [(1, 8, 12, 13), (2, 3, 9, 8), (2, 16, 1, 1), (1, 1, 4, 3)])
def test_expansion(shape, channels, size, stride) -> None:
    check(*tensors(shape, size, channels), stride, PADDINGS[size], True)


@pytest.mark.parametrize('padding', [(0, 1, 0, 1), (1, 2, 1, 2), (0, 0, 2, 0), (2, 1, 0, 2)])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('channels', [None, 40])
def test_padding_of_each_side(channels, stride, padding) -> None:
    check(*tensors((1, 40, 8, 11), 3, channels), stride, padding, True)


@pytest.mark.slow
@pytest.mark.parametrize('threads', [1, 2, 3, 5])
def test_any_number_of_threads(threads) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for height in (2, 7, 40):
            check(*tensors((1, 3 * GROUP, height, 6), 5), 1, PADDINGS[5], True)
            check(*tensors((1, 5, height, 6), 5, GROUP), 2, PADDINGS[5], True)
        check(*tensors((2, 640, 9, 6), 3), 1, PADDINGS[3], True)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize('channels', [None, 48])
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_memory_formats(memory_format, channels) -> None:
    x, weights = tensors((2, 24, 6, 7), 3, channels)
    x = x.to(memory_format=memory_format)
    out, _ = fused_depthwise(x, *arguments(weights), 1, PADDINGS[3], True)
    assert out.is_contiguous(memory_format=torch.channels_last)
    check(x, weights, 1, PADDINGS[3], True)
    check(x[:, :, 1:, ::2], weights, 1, PADDINGS[3], True)


def test_large_and_broken_values() -> None:
    """Nothing overflows, and what is no number stays none, where the kernel sees it."""
    x, weights = tensors((1, 8, 3, 9), 3)
    x[0, 0, 1] = torch.tensor([-1e4, 1e4, -100, 100, -88, 88, 0, -0.0, 1e-30])
    check(x, weights, 1, PADDINGS[3], True)
    x[0, 3, 1, 4] = torch.nan
    out, means = fused_depthwise(x, *arguments(weights), 1, PADDINGS[3], True)
    assert out[0, 3, :, 3:6].isnan().all()
    assert out.isnan().sum() == 9
    assert means.isnan().nonzero().tolist() == [[0, 3]]


@pytest.mark.parametrize('inputs', [40, 24])
def test_registered_as_torch_wants_it(inputs) -> None:
    x, weights = tensors((2, inputs, 6, 7), 3, None if inputs == 40 else 40)
    given = (x, *arguments(weights), 2, [0, 1, 0, 1], True)
    library.opcheck(torch.ops.effnet_dense.fused_depthwise.default, given)


def test_what_does_not_fit() -> None:
    x, weights = tensors((1, 24, 6, 7), 3, 40)
    given = (*arguments(weights), 1, PADDINGS[3], True)
    with pytest.raises(
        ValueError, match=r'24 channels in torch\.float32, got 23 in torch\.float32'
    ):
        fused_depthwise(x[:, 1:], *given)
    with pytest.raises(ValueError, match=r'got 24 in torch\.float64'):
        fused_depthwise(x.double(), *given)
    with pytest.raises(ValueError, match=r'weights of 72 channels, got \[2, 2, 2, 2\] groups'):
        fused_depthwise(x, *given[:3], 72, *given[4:])
    strided = given[1].transpose(1, 2).contiguous().transpose(1, 2)
    with pytest.raises(ValueError, match='expected contiguous weights'):
        fused_depthwise(x, given[0], strided, *given[2:])
    with pytest.raises(ValueError, match=r'expected contiguous weights .* got .*float64'):
        fused_depthwise(x, given[0], given[1].double(), *given[2:])
    with pytest.raises(ValueError, match=r'got \[2, 2, 2\] groups'):
        fused_depthwise(x, given[0][:1], *given[1:])
    with pytest.raises(ValueError, match=r'got 3, 3 and \(1, 1, 1, 1\)'):
        fused_depthwise(x, *given[:4], 3, *given[5:])
    with pytest.raises(ValueError, match=r'got 3, 1 and \(3, 1, 1, 1\)'):
        fused_depthwise(x, *given[:4], 1, (3, 1, 1, 1), True)
    seven = torch.zeros(2, 7, 7, GROUP)
    with pytest.raises(ValueError, match='got 7, 1'):
        fused_depthwise(x, given[0], seven, *given[2:])
