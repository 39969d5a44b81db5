from __future__ import annotations

import mmcv._ext
import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import CARAFEPack, carafe, carafe_naive
from torch.autograd import gradcheck

from tests.helpers.mmcv_operands import carafe_operands
from tests.reference import mmcv_ops as reference

# kernel, groups, scale
SETTINGS = [(3, 1, 2), (5, 2, 2), (1, 1, 3), (3, 4, 1)]


@pytest.mark.parametrize('settings', SETTINGS)
@pytest.mark.parametrize('function', [carafe, carafe_naive])
def test_against_reference(settings: tuple[int, int, int], function: type) -> None:
    features, masks = carafe_operands(*settings)
    expected = reference.carafe(features, masks, *settings)
    torch.testing.assert_close(function(features, masks, *settings), expected)


@pytest.mark.parametrize('settings', SETTINGS)
def test_gradcheck(settings: tuple[int, int, int]) -> None:
    inputs = [tensor.requires_grad_() for tensor in carafe_operands(*settings)]
    assert gradcheck(lambda f, m: carafe(f, m, *settings), inputs, fast_mode=True)


def test_naive_backward_is_the_same() -> None:
    # mmcv's autograd function insists on CUDA tensors in carafe_naive's backward.
    features, masks = (tensor.requires_grad_() for tensor in carafe_operands(3, 2, 2))
    output = carafe(features, masks, 3, 2, 2)
    cotangent = torch.randn_like(output)
    expected = torch.autograd.grad(output, (features, masks), cotangent)
    actual = torch.zeros_like(features), torch.zeros_like(masks)
    mmcv._ext.carafe_naive_backward(cotangent, features, masks, *actual, 3, 2, 2)
    torch.testing.assert_close(actual, expected)


def test_one_hot_masks_are_nearest_upsampling() -> None:
    features, masks = carafe_operands(3, 1, 2)
    masks = torch.zeros_like(masks)
    masks[:, 4] = 1  # the kernel's centre
    torch.testing.assert_close(carafe(features, masks, 3, 1, 2), F.interpolate(features, None, 2))


def test_layer_trains_channels_last() -> None:
    torch.manual_seed(0)
    layer = CARAFEPack(4, 2, compressed_channels=8)
    x = torch.randn(2, 4, 5, 3).to(memory_format=torch.channels_last).requires_grad_()
    output = layer(x)
    assert output.shape == (2, 4, 10, 6)
    output.square().sum().backward()
    assert x.grad.abs().sum() > 0
    assert layer.content_encoder.weight.grad.abs().sum() > 0
