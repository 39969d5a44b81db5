"""Attention and projection in one beside torch's own operators."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from effnet_dense.lean.chain import run_chain
from effnet_dense.lean.gate import can_join, gates_by_linear
from effnet_dense.models.layers import ConvNormAct, SqueezeExcite
from effnet_dense.ops import gated_conv
from effnet_dense.ops.gated_conv import gated_conv2d, gated_gradients
from tests.helpers.gradients import assert_gradients_close

SILU = dict(type='SiLU', inplace=True)


def pair(bias=True):
    torch.manual_seed(0)
    return SqueezeExcite(6, 2, SILU), nn.Conv2d(6, 4, 1, bias=bias)


def joined(se, conv, x):
    return gated_conv2d(x, gates_by_linear(se, x), conv.weight, conv.bias)


def example(memory_format=torch.contiguous_format):
    return torch.randn(2, 6, 5, 7).contiguous(memory_format=memory_format).requires_grad_()


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_outputs_and_gradients_are_those_of_the_two(bias, memory_format):
    se, conv = pair(bias)
    x = example(memory_format)
    y, expected = joined(se, conv, x), conv(se(x))
    # The attention is linear layers there, whose sums are in another order.
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-6)
    leaves = (x, *se.parameters(), *conv.parameters())
    assert_gradients_close(y, expected, leaves, atol=1e-6)


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_channels_last_stays(memory_format):
    x = example(torch.channels_last)
    gradient = torch.ones(2, 4, 5, 7).contiguous(memory_format=memory_format)
    mask = (True, False, False, False)
    to_x, *_ = gated_gradients(gradient, x, torch.ones(2, 6, 1, 1), torch.ones(4, 6, 1, 1), mask)
    assert to_x.is_contiguous(memory_format=torch.channels_last)


def test_only_what_is_asked_for_is_computed():
    x, gate, weight = torch.randn(2, 6, 5, 7), torch.rand(2, 6, 1, 1), torch.randn(4, 6, 1, 1)
    for mask in product([False, True], repeat=4):
        found = gated_gradients(torch.ones(2, 4, 5, 7), x, gate, weight, mask)
        assert tuple(grad is not None for grad in found) == mask
        shapes = ((2, 6, 5, 7), (2, 6, 1, 1), (4, 6, 1, 1), (4,))
        assert all(
            grad is None or grad.shape == shape for grad, shape in zip(found, shapes, strict=True)
        )


def test_second_derivatives_are_those_of_the_two():
    se, conv = pair()
    x = example()

    def second(y):
        (first,) = torch.autograd.grad((y**2).sum(), conv.weight, create_graph=True)
        return torch.autograd.grad((first**2).sum(), (x, conv.weight, se.conv1.conv.weight))

    for own, right in zip(second(joined(se, conv, x)), second(conv(se(x))), strict=True):
        torch.testing.assert_close(own, right, rtol=1e-4, atol=1e-4)


def test_when_the_two_are_one():
    x = example()
    assert can_join(*pair(), x)
    assert not can_join(*pair(), x.double())
    with torch.no_grad():
        assert not can_join(*pair(), x)
    with torch.autocast('cpu', torch.bfloat16):
        assert not can_join(*pair(), x)
    se, _ = pair()
    for other in (
        nn.Conv2d(6, 4, 1, groups=2),
        nn.Conv2d(6, 4, 1, stride=2),
        nn.Conv2d(6, 4, 3),
        nn.Conv2d(6, 4, 1, padding=1),
        nn.BatchNorm2d(6),
    ):
        assert not can_join(se, other, x)


class Other(nn.Conv2d):
    """It may compute anything."""


@pytest.mark.parametrize('name', ['conv1', 'conv2'])
def test_an_attention_of_other_modules_stays(name):
    se, conv = pair()
    layer = getattr(se, name)
    layer.conv = Other(layer.conv.in_channels, layer.conv.out_channels, 1)
    assert not can_join(se, conv, example())
    assert not can_join(SqueezeExcite(6, 2, dict(type='PReLU')), conv, example())


@pytest.mark.parametrize('condition', ['torch.jit.is_tracing', 'torch.compiler.is_compiling'])
def test_graphs_hold_torchs_own(condition, monkeypatch):
    monkeypatch.setattr(condition, lambda: True)
    assert not can_join(*pair(), example())


@pytest.mark.parametrize('level', [0, 1])
@pytest.mark.parametrize('watched', ['se', 'se.conv1', 'layer', 'layer.conv'])
def test_hooks_fire_once(watched, level):
    se = SqueezeExcite(6, 2, SILU)
    layer = ConvNormAct(6, 4, norm_cfg=dict(type='BN'))
    row = nn.ModuleDict(dict(se=se, layer=layer))
    calls = []
    row.get_submodule(watched).register_forward_hook(lambda *_: calls.append(watched))
    run_chain(level, [se, layer], example()).sum().backward()
    assert calls == [watched]


@pytest.mark.parametrize('level', [0, 1, 2])
def test_a_block_runs_them_as_one(level, monkeypatch):
    calls = []

    def spy(*args):
        calls.append(args)
        return gated_gradients(*args)

    monkeypatch.setattr(gated_conv, 'gated_gradients', spy)
    layer = ConvNormAct(6, 4, norm_cfg=dict(type='BN'))
    run_chain(level, [nn.SiLU(), SqueezeExcite(6, 2, SILU), layer], example()).sum().backward()
    assert len(calls) == 1


def test_the_formula_by_hand():
    """One image, one pixel, one channel: y = w·g·x."""
    x, gate, weight = (torch.full((1, 1, 1, 1), value) for value in (3.0, 0.5, 2.0))
    found = gated_gradients(torch.ones(1, 1, 1, 1), x, gate, weight, (True, True, True, True))
    assert [float(grad) for grad in found] == [1.0, 6.0, 1.5, 1.0]
    assert float(F.conv2d(x * gate, weight)) == 3.0
