"""Depthwise convolution beside torch's own on a padded copy."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from effnet_dense.models.layers import Conv2dSame, DepthwiseConv2d, conv2d, pad_same
from effnet_dense.ops import depthwise as module
from effnet_dense.ops.depthwise import AxisGeometry, fast_geometry, narrow_kernels
from tests.helpers.gradients import assert_gradients_close

SIZES = [(8, 8), (7, 8), (9, 7), (16, 13), (5, 4), (3, 3), (2, 2), (1, 1), (6, 1)]


def padded(conv, x):
    """The definition: zeros around a copy, and a convolution without padding."""
    k, s = conv.kernel_size[0], conv.stride[0]
    x = F.pad(x, [conv.fixed] * 4) if conv.fixed else pad_same(x, (k, k), (s, s))
    return F.conv2d(x, conv.weight, conv.bias, s, 0, 1, conv.groups)


def geometry(conv, x):
    return fast_geometry(x, conv.weight, conv.stride, conv.padding_for(x), conv.dilation)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('kernel', [3, 5])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('padding', ['same', 'symmetric'])
def test_outputs_and_gradients_are_those_of_a_padded_copy(size, kernel, stride, padding):
    torch.manual_seed(0)
    conv = DepthwiseConv2d(4, kernel, stride, 1, True, padding)
    x = torch.randn(2, 4, *size, requires_grad=True)
    assert geometry(conv, x) is not None
    y, expected = conv(x), padded(conv, x)
    torch.testing.assert_close(y, expected)
    leaves = (x, conv.weight, conv.bias)
    assert_gradients_close(y, expected, leaves, atol=1e-5)


@pytest.mark.parametrize('kernel', [3, 5])
@pytest.mark.parametrize('stride', [1, 2])
def test_only_what_is_asked_for_is_computed(kernel, stride):
    conv = DepthwiseConv2d(4, kernel, stride, 1, False, 'same')
    x = torch.randn(1, 4, 8, 8)
    conv(x).sum().backward()
    assert x.grad is None
    assert conv.weight.grad is not None
    conv.requires_grad_(False)
    x.requires_grad_()
    conv.weight.grad = None
    conv(x).sum().backward()
    assert x.grad is not None
    assert conv.weight.grad is None


@pytest.mark.parametrize('stride', [1, 2])
def test_second_derivatives_are_those_of_a_padded_copy(stride):
    torch.manual_seed(0)
    conv = DepthwiseConv2d(3, 5, stride, 1, False, 'same')
    x = torch.randn(1, 3, 6, 6, requires_grad=True)

    def second(y):
        (first,) = torch.autograd.grad((y**2).sum(), conv.weight, create_graph=True)
        return torch.autograd.grad((first**2).sum(), (x, conv.weight))

    for own, right in zip(second(conv(x)), second(padded(conv, x)), strict=True):
        torch.testing.assert_close(own, right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('kernel', [3, 5])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('before', [0, 1, 2])
@pytest.mark.parametrize('size', [1, 2, 5, 8])
def test_parts_reach_one_pixel_beyond_the_picture(kernel, stride, before, size):
    """Each column once; and what a shift pushes out of the image has only seen zeros."""
    after = kernel - stride - before + (size % 2 if stride == 2 else 0)
    if after not in (before, before + 1):
        pytest.skip('no padding of SAME, nor a symmetric one')
    asked = []
    outs = (size + before + after - kernel) // stride + 1
    for shift, width, wanted in narrow_kernels(AxisGeometry(kernel, stride, before, after)):
        asked += wanted
        assert width in (1, 3)
        for d in wanted:
            assert abs(d - stride * shift) <= width // 2
            lost = [o for o in range(outs) if not 0 <= o + shift < outs]
            assert not [o for o in lost if 0 <= stride * o + d < size]
    assert sorted(asked) == list(range(-before, kernel - before))


def test_autocast_rounds_as_torchs_convolution_does():
    torch.manual_seed(0)
    conv = DepthwiseConv2d(4, 5, 2, 1, False, 'same')
    x = torch.randn(2, 4, 8, 8, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        y, expected = conv(x), padded(conv, x)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, expected)
    gradient = torch.randn_like(y)
    for own, right in zip(
        torch.autograd.grad(y, (x, conv.weight), gradient),
        torch.autograd.grad(expected, (x, conv.weight), gradient),
        strict=True,
    ):
        assert own.dtype == torch.float32
        torch.testing.assert_close(own, right, rtol=2e-2, atol=5e-2)  # bfloat16's 8 bits


@pytest.mark.parametrize(
    ('x', 'kernel', 'dilation'),
    [
        (torch.zeros(1, 4, 8, 8, dtype=torch.float64), 3, 1),
        (torch.zeros(1, 4, 8, 8, device='meta'), 3, 1),
        (torch.zeros(1, 4, 8, 8), 7, 1),
        (torch.zeros(1, 4, 8, 8), 3, 2),
    ],
)
def test_the_rest_is_torchs_own(x, kernel, dilation, monkeypatch):
    conv = DepthwiseConv2d(4, kernel, 2, dilation, False, 'same').to(x.device, x.dtype)
    monkeypatch.setattr(module, '_convolve', None)
    assert geometry(conv, x) is None
    assert conv(x).shape == (1, 4, 4, 4)


def test_onednn_can_be_switched_off():
    x, conv = torch.zeros(1, 4, 8, 8), DepthwiseConv2d(4, 3, 2, 1, False, 'same')
    assert geometry(conv, x) == (AxisGeometry(3, 2, 0, 1), AxisGeometry(3, 2, 0, 1))
    with torch.backends.mkldnn.flags(enabled=False):
        assert geometry(conv, x) is None


def test_the_factory_knows_depthwise_convolutions():
    assert type(conv2d(8, 8, 5, groups=8)) is DepthwiseConv2d
    assert type(conv2d(8, 8, 5, 2, groups=8, padding='symmetric')) is DepthwiseConv2d
    assert type(conv2d(8, 8, 3, 2, groups=8)) is DepthwiseConv2d
    assert type(conv2d(8, 8, 3, groups=8)) is nn.Conv2d
    assert type(conv2d(8, 8, 3, 2, groups=8, padding='symmetric')) is nn.Conv2d
    assert type(conv2d(8, 8, 3, groups=4)) is nn.Conv2d
    assert type(conv2d(8, 16, 3, 2, groups=8)) is Conv2dSame


@pytest.mark.parametrize('training', [True, False])
def test_a_compiled_convolution_is_one_graph_for_all_even_sizes(training):
    torch._dynamo.reset()
    conv = DepthwiseConv2d(4, 5, 2, 1, False, 'same')
    compiled = torch.compile(conv, backend='aot_eager', fullgraph=True, dynamic=True)
    for side in (8, 12):
        x = torch.randn(2, 4, side, side, requires_grad=training)
        with torch.set_grad_enabled(training):
            y = compiled(x)
            torch.testing.assert_close(y, conv(x))
        if training:
            y.sum().backward()
