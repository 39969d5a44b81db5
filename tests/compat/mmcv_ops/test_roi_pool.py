from __future__ import annotations

import mmcv._ext as ext
import pytest
import torch
import torchvision
from mmcv.ops import roi_pool
from torch.autograd import gradcheck

from effnet_dense.compat.mmcv_ops.roi_pool import _add_in_order
from tests.helpers.mmcv_operands import ROIS, features
from tests.reference import mmcv_ops as reference


@pytest.mark.parametrize('scale', [0.5, 1.0, 0.37])
@pytest.mark.parametrize('size', [(2, 3), (1, 1), (7, 7)])
def test_against_reference(scale: float, size: tuple[int, int]) -> None:
    actual = roi_pool(features(), ROIS, size, scale)
    torch.testing.assert_close(actual, reference.roi_pool(features(), ROIS, size, scale))


def test_hand_values() -> None:
    ramp = torch.arange(16.0).view(1, 1, 4, 4)
    whole = torch.tensor([[0.0, 0.0, 0.0, 3.0, 3.0]])  # the last pixel is part of the region
    assert roi_pool(ramp, whole, (2, 2), 1.0).flatten().tolist() == [5.0, 7.0, 13.0, 15.0]


def test_gradcheck() -> None:
    x = features(torch.float64).requires_grad_()
    assert gradcheck(lambda x: roi_pool(x, ROIS.double(), (2, 3), 0.5), x, fast_mode=True)


def test_gradient_reaches_the_maximum_alone() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4).requires_grad_()
    rois = torch.tensor([[0.0, 0.0, 0.0, 3.0, 3.0], [0.0, 0.0, 0.0, 3.0, 3.0]])
    roi_pool(x, rois, (1, 1), 1.0).sum().backward()
    assert x.grad.flatten().tolist() == [0.0] * 15 + [2.0]


def test_empty_bins_and_regions() -> None:
    x = features().requires_grad_()
    outside = torch.tensor(
        [[0, 40.0, 40.0, 60.0, 50.0], [0, 5.0, 5.0, 3.0, 3.0], [0, 3.5, 1.0, 2.5, 4.0]]
    )
    pooled = roi_pool(x, outside, (2, 2), 1.0)
    assert pooled.abs().sum() == 0
    pooled.sum().backward()
    assert x.grad.abs().sum() == 0
    assert roi_pool(x, torch.zeros(0, 5), (2, 2), 1.0).shape == (0, 3, 2, 2)


@pytest.mark.parametrize('channels', [1, 16, 17, 24])
@pytest.mark.parametrize('count', [1, 5, 40])
def test_any_number_of_channels_and_regions(channels: int, count: int) -> None:
    x = torch.randn(2, channels, 7, 9, requires_grad=True)
    rois = ROIS.repeat(8, 1)[:count]
    pooled = roi_pool(x, rois, (2, 3), 0.5)
    torch.testing.assert_close(pooled, reference.roi_pool(x.detach(), rois, (2, 3), 0.5))
    pooled.sum().backward()
    assert x.grad.sum() == (pooled != 0).sum()


def test_equals_torchvision_where_bins_do() -> None:
    torch.manual_seed(0)
    ours, theirs = (torch.randn(2, 32, 20, 20).requires_grad_() for _ in range(2))
    theirs.data.copy_(ours.data)
    corners = torch.randint(10, (30, 2))
    rois = torch.cat((torch.arange(30)[:, None] % 2, corners, corners + 7), 1).float()
    actual = roi_pool(ours.to(memory_format=torch.channels_last), rois, (4, 4), 1.0)
    expected = torchvision.ops.roi_pool(theirs, rois, (4, 4), 1.0)
    assert torch.equal(actual, expected)
    (actual.square().sum() + expected.square().sum()).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_gradient_in_a_fixed_order() -> None:
    torch.manual_seed(0)
    x, grad = torch.randn(2, 3, 7, 9), torch.randn(len(ROIS), 3, 2, 3)
    argmax = torch.zeros(grad.shape, dtype=torch.int)
    ext.roi_pool_forward(x, ROIS, torch.zeros_like(grad), argmax, 2, 3, 0.5)
    assert (argmax < 0).any()
    expected, actual = torch.zeros_like(x), torch.zeros_like(x)
    ext.roi_pool_backward(grad, ROIS, argmax, expected, 2, 3, 0.5)
    _add_in_order(grad, ROIS[:, 0].long(), argmax, actual)
    torch.testing.assert_close(actual, expected)
