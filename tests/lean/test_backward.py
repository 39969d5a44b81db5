"""Each step's gradients are autograd's, to the bit."""

import copy
from itertools import product

import pytest
import torch
from torch import nn

from effnet_dense.lean.backward import (
    ActivationStep,
    ConvolutionStep,
    GraphStep,
    is_plain_convolution,
    module_step,
)
from effnet_dense.models.layers import SqueezeExcite, conv2d

MODULES = {
    'pointwise': lambda: nn.Conv2d(6, 4, 1),
    'without bias': lambda: nn.Conv2d(6, 4, 3, 2, 1, bias=False),
    'stem': lambda: conv2d(6, 8, 3, 2),
    'depthwise': lambda: conv2d(6, 6, 5, 2, groups=6),
    'dilated': lambda: conv2d(6, 6, 3, dilation=2, groups=6),
    'silu': nn.SiLU,
    'silu in place': lambda: nn.SiLU(inplace=True),
    'relu': lambda: nn.ReLU(inplace=True),
    'relu6': lambda: nn.ReLU6(inplace=True),
    'another activation': lambda: nn.Hardswish(inplace=True),
    'attention': lambda: SqueezeExcite(6, 2, dict(type='SiLU', inplace=True)),
    'group norm': lambda: nn.GroupNorm(2, 6),
}
KINDS = {
    'pointwise': ConvolutionStep,
    'stem': ConvolutionStep,
    'depthwise': ConvolutionStep,
    'silu': ActivationStep,
    'relu': ActivationStep,
    'relu6': ActivationStep,
    'another activation': GraphStep,
    'attention': GraphStep,
}


def example():
    # Beyond 6 as well, and with zeros, where ReLU's slope is decided.
    x = 4 * torch.randn(2, 6, 8, 7, generator=torch.Generator().manual_seed(0))
    return x.masked_fill(x.abs() < 0.2, 0.0)


def assert_equal(found, right):
    for own, other in zip(found, right, strict=True):
        assert (own is None) == (other is None)
        assert own is None or (own.dtype == other.dtype and torch.equal(own, other))


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('last', [False, True])
@pytest.mark.parametrize('name', MODULES)
def test_gradients(name, last, autocast):
    torch.manual_seed(0)
    module = MODULES[name]()
    own = dict(module.named_parameters())
    x = example()
    leaf = x.clone().requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, autocast):
        plain = copy.deepcopy(module)
        expected = plain(leaf * 1)
        gradient = torch.randn_like(expected)
        following = None if last else nn.Conv2d(1, 1, 1)
        step = module_step(module, [x], own, [True], [True] * len(own), following)
    assert type(step) is KINDS.get(name, type(step))
    if not (last and isinstance(step, ConvolutionStep)):
        assert torch.equal(step.out, expected)
    right = torch.autograd.grad(expected, [leaf, *plain.parameters()], gradient)
    (to_x,), rest = step.backward(gradient.clone())
    assert_equal([to_x, *rest], right)
    assert torch.equal(x, example())


@pytest.mark.parametrize('name', ['pointwise', 'without bias', 'depthwise', 'attention'])
def test_only_what_is_needed(name):
    module = MODULES[name]()
    own = dict(module.named_parameters())
    for needed, *asked in product([False, True], repeat=1 + len(own)):
        if not needed and not any(asked):
            continue
        step = module_step(module, [example()], own, [needed], asked, nn.ReLU())
        (to_x,), rest = step.backward(torch.ones_like(step.out))
        assert [grad is not None for grad in (to_x, *rest)] == [needed, *asked]


def test_a_gradient_that_others_have_is_left_alone():
    for following, fresh in ((nn.Conv2d(6, 1, 1), True), (nn.Identity(), False)):
        step = module_step(nn.SiLU(), [example()], {}, [True], [], following)
        gradient = torch.ones(2, 6, 8, 7)
        (to_x,), _ = step.backward(gradient)
        assert (to_x is gradient) == fresh
        assert fresh or torch.equal(gradient, torch.ones_like(gradient))


def test_an_activation_that_was_changed():
    module = nn.SiLU()
    module.forward = torch.sin
    x, gradient = example(), torch.ones(2, 6, 8, 7)
    step = module_step(module, [x], {}, [True], [], nn.Conv2d(6, 1, 1))
    assert torch.equal(step.out, x.sin())
    assert torch.equal(step.backward(gradient)[0][0], x.cos())


def test_what_is_a_plain_convolution():
    class Other(nn.Conv2d):
        pass

    changed = nn.Conv2d(1, 1, 1)
    changed.forward = lambda x: x
    assert is_plain_convolution(nn.Conv2d(1, 1, 1))
    assert not is_plain_convolution(Other(1, 1, 1))
    assert not is_plain_convolution(changed)
    assert not is_plain_convolution(nn.Conv2d(1, 1, 3, padding='same'))
    assert not is_plain_convolution(nn.Conv2d(1, 1, 3, padding_mode='reflect'))
