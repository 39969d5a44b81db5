from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmcv.ops import (
    DeformConv2dPack,
    ModulatedDeformConv2dPack,
    deform_conv2d,
    modulated_deform_conv2d,
)
from torch.autograd import gradcheck

from tests.helpers.mmcv_operands import deform_conv_operands
from tests.reference import mmcv_ops as reference

# stride, padding, dilation, groups, deformable groups
GEOMETRIES = [(1, 1, 1, 1, 1), (2, 1, 1, 2, 1), (1, 2, 2, 1, 2), (2, 0, 1, 2, 2)]


@pytest.mark.parametrize('geometry', GEOMETRIES)
def test_v1_against_reference(geometry: tuple[int, ...]) -> None:
    x, offset, _, weight, _ = deform_conv_operands(geometry)
    actual = deform_conv2d(x, offset, weight, *geometry)
    expected = reference.deform_conv(x, offset, None, weight, *geometry)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('geometry', GEOMETRIES)
def test_v2_against_reference(geometry: tuple[int, ...]) -> None:
    x, offset, mask, weight, bias = deform_conv_operands(geometry)
    expected = reference.deform_conv(x, offset, mask, weight, *geometry)
    actual = modulated_deform_conv2d(x, offset, mask, weight, None, *geometry)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    actual = modulated_deform_conv2d(x, offset, mask, weight, bias, *geometry)
    torch.testing.assert_close(actual, expected + bias.view(-1, 1, 1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('with_bias', [True, False])
def test_v2_equals_torchvision_with_gradients(with_bias: bool) -> None:
    geometry = (2, 1, 1, 2, 2)
    ours = [tensor.requires_grad_() for tensor in deform_conv_operands(geometry)]
    theirs = [tensor.detach().requires_grad_() for tensor in ours]
    x, offset, mask, weight, bias = ours
    actual = modulated_deform_conv2d(
        x, offset, mask, weight, bias if with_bias else None, *geometry
    )
    x, offset, mask, weight, bias = theirs
    expected = torchvision.ops.deform_conv2d(
        x, offset, weight, bias if with_bias else None, 2, 1, 1, mask
    )
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)
    cotangent = torch.randn_like(expected)
    actual.backward(cotangent)
    expected.backward(cotangent)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=0)


@pytest.mark.parametrize('geometry', [(1, 1, 1, 1, 1), (2, 0, 1, 2, 2)])
def test_gradcheck(geometry: tuple[int, ...]) -> None:
    x, offset, mask, weight, bias = (
        tensor.requires_grad_() for tensor in deform_conv_operands(geometry, torch.float64)
    )
    assert gradcheck(
        lambda x, o, w: deform_conv2d(x, o, w, *geometry), (x, offset, weight), fast_mode=True
    )
    assert gradcheck(
        lambda x, o, m, w, b: modulated_deform_conv2d(x, o, m, w, b, *geometry),
        (x, offset, mask, weight, bias),
        fast_mode=True,
    )


def test_gradient_of_the_weight_alone() -> None:
    x, offset, _, weight, _ = deform_conv_operands(GEOMETRIES[0])
    weight.requires_grad_()
    (grad,) = torch.autograd.grad(deform_conv2d(x, offset, weight, 1, 1).sum(), weight)
    (expected,) = torch.autograd.grad(
        torchvision.ops.deform_conv2d(x, offset, weight, padding=1).sum(), weight
    )
    torch.testing.assert_close(grad, expected)


def test_backward_twice_through_one_graph() -> None:
    x, offset, _, weight, _ = (
        tensor.requires_grad_() for tensor in deform_conv_operands(GEOMETRIES[0])
    )
    output = deform_conv2d(x, offset, weight, 1, 1)
    inputs = (x, offset, weight)
    first = torch.autograd.grad(output, inputs, torch.ones_like(output), retain_graph=True)
    # The weight's gradient is not one that an earlier backward left behind.
    torch.autograd.grad(output, x, torch.ones_like(output), retain_graph=True)
    third = torch.autograd.grad(output, inputs, torch.full_like(output, 3.0))
    for one, three in zip(first, third, strict=True):
        torch.testing.assert_close(three, 3 * one)


def test_v2_reads_larger_offsets_as_mmcv_does() -> None:
    # The output is 3 × 3; of the 5 × 6 maps each image's first 18 · 9 offsets and 9 · 9 weights
    # are read. DyHead does this, with slices of one tensor as offset and mask.
    torch.manual_seed(0)
    x, weight = torch.randn(2, 4, 3, 3, dtype=torch.float64), torch.randn(4, 4, 3, 3).double()
    both = torch.randn(2, 27, 5, 6, dtype=torch.float64, requires_grad=True)
    offset, mask = both[:, :18], both[:, 18:]
    actual = modulated_deform_conv2d(x, offset, mask, weight, None, 1, 1)
    read = (
        offset.detach().reshape(2, -1)[:, : 18 * 9].reshape(2, 18, 3, 3),
        mask.detach().reshape(2, -1)[:, : 9 * 9].reshape(2, 9, 3, 3),
    )
    torch.testing.assert_close(actual, reference.deform_conv(x, *read, weight, 1, 1, 1, 1, 1))
    actual.sum().backward()
    assert (both.grad[:, :18].flatten(1)[:, 18 * 9 :] == 0).all()
    assert (both.grad[:, :18].flatten(1)[:, : 18 * 9] != 0).any()
    assert gradcheck(
        lambda b: modulated_deform_conv2d(x, b[:, :18], b[:, 18:], weight, None, 1, 1),
        both,
        fast_mode=True,
    )
    with pytest.raises(ValueError, match='size of the output, 3 x 3, got 2 x 2'):
        modulated_deform_conv2d(x, offset[..., :2, :2], mask[..., :2, :2], weight, None, 1, 1)


def test_zero_offset_is_convolution() -> None:
    x, offset, _, weight, _ = deform_conv_operands(GEOMETRIES[0])
    torch.testing.assert_close(
        deform_conv2d(x, torch.zeros_like(offset), weight, 1, 1),
        F.conv2d(x, weight, padding=1),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize('layer', [DeformConv2dPack, ModulatedDeformConv2dPack])
@pytest.mark.parametrize('size', [(5, 9), (2, 2)])
def test_layers_train(layer: type[torch.nn.Module], size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    convolution = layer(4, 6, 3, padding=1)
    x = torch.randn(2, 4, *size, requires_grad=True)
    output = convolution(x)
    assert output.shape == (2, 6, *size)
    output.square().sum().backward()
    for tensor in (x, convolution.weight, convolution.conv_offset.weight):
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().sum() > 0


def test_autocast_runs_and_stays_close() -> None:
    torch.manual_seed(0)
    convolution = ModulatedDeformConv2dPack(4, 6, 3, padding=1)
    x = torch.randn(2, 4, 5, 9, requires_grad=True)
    expected = convolution(x)
    with torch.autocast('cpu', torch.bfloat16):
        actual = convolution(x)
    assert actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual.float(), expected, rtol=0.05, atol=0.05)
    actual.float().sum().backward()
    assert x.grad.isfinite().all()


def sample_is_at_minus_one(offset: torch.Tensor, geometry: tuple[int, ...]) -> torch.Tensor:
    """(N, 2 * G * K, H, W), True where a coordinate of a 3 × 2 kernel is -1: one by one."""
    stride, padding, dilation = geometry[:3]
    result = torch.zeros_like(offset, dtype=torch.bool)
    for n, channel, h, w in torch.cartesian_prod(*map(torch.arange, offset.shape)).tolist():
        tap, axis = channel // 2 % 6, channel % 2
        start = (h, w)[axis] * stride - padding + (tap // 2, tap % 2)[axis] * dilation
        result[n, channel, h, w] = start + float(offset[n, channel, h, w]) == -1
    return result


@pytest.mark.parametrize('geometry', [(1, 1, 1, 1, 1), (2, 3, 2, 2, 2), (1, 0, 1, 1, 1)])
@pytest.mark.parametrize('modulated', [False, True])
def test_offsets_of_samples_at_minus_one_have_no_gradient(
    geometry: tuple[int, ...], modulated: bool
) -> None:
    x, offset, mask, weight, _ = deform_conv_operands(geometry)
    offset = offset.round().requires_grad_()
    stride, padding, dilation = geometry[:3]
    if modulated:
        output = modulated_deform_conv2d(x, offset, mask, weight, None, *geometry)
    else:
        output = deform_conv2d(x, offset, weight, *geometry)
    expected = torchvision.ops.deform_conv2d(
        x, offset, weight, None, stride, padding, dilation, mask if modulated else None
    )
    cotangent = torch.randn_like(expected)
    (grad,) = torch.autograd.grad(output, offset, cotangent)
    (slope,) = torch.autograd.grad(expected, offset, cotangent)
    outside = sample_is_at_minus_one(offset.detach(), geometry)
    assert outside.any()
    assert (slope[outside] != 0).any()
    torch.testing.assert_close(grad, slope.masked_fill(outside, 0))


def test_the_smallest_convolution_with_padding() -> None:
    offset = torch.zeros(1, 2, 3, 3, requires_grad=True)
    x, weight = torch.full((1, 1, 1, 1), 5.0), torch.ones(1, 1, 1, 1)
    deform_conv2d(x, offset, weight, 1, 1).sum().backward()
    inside = torch.tensor([[0.0, 0.0, 0.0], [0.0, -5.0, 0.0], [0.0, 0.0, 0.0]])
    assert torch.equal(offset.grad, inside.expand(1, 2, 3, 3))
