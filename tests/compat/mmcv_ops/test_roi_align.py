from __future__ import annotations

import pytest
import torch
import torchvision
from mmcv.ops import RoIAlign, SimpleRoIAlign, roi_align
from torch.autograd import gradcheck

from tests.helpers.mmcv_operands import ROIS, features
from tests.reference import mmcv_ops as reference


@pytest.mark.parametrize('sampling_ratio', [0, 2])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('size', [(2, 3), (1, 1)])
def test_against_reference(
    sampling_ratio: int, aligned: bool, mode: str, size: tuple[int, int]
) -> None:
    arguments = (size, 0.5, sampling_ratio, mode, aligned)
    actual = RoIAlign(*arguments)(features(), ROIS)
    expected = reference.roi_align(features().double(), ROIS.double(), *arguments)
    torch.testing.assert_close(actual, expected.float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('sampling_ratio', [0, 2])
@pytest.mark.parametrize('aligned', [True, False])
def test_average_equals_torchvision_with_gradient(sampling_ratio: int, aligned: bool) -> None:
    ours, theirs = features().requires_grad_(), features().requires_grad_()
    actual = roi_align(ours, ROIS, (3, 2), 0.5, sampling_ratio, 'avg', aligned)
    expected = torchvision.ops.roi_align(theirs, ROIS, (3, 2), 0.5, sampling_ratio, aligned)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)
    cotangent = torch.randn_like(expected)
    actual.backward(cotangent)
    expected.backward(cotangent)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_gradcheck(mode: str, sampling_ratio: int) -> None:
    x = features(torch.float64).requires_grad_()
    rois = ROIS.double()
    assert gradcheck(
        lambda x: roi_align(x, rois, (2, 3), 0.5, sampling_ratio, mode, True), x, fast_mode=True
    )


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_no_regions(mode: str) -> None:
    x = features().requires_grad_()
    pooled = roi_align(x, torch.zeros(0, 5), (7, 7), 1.0, 0, mode, True)
    assert pooled.shape == (0, 3, 7, 7)
    pooled.sum().backward()
    assert x.grad.abs().sum() == 0


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_region_of_no_size(mode: str) -> None:
    x = features().requires_grad_()
    pooled = roi_align(x, torch.tensor([[0.0, 3.0, 3.0, 3.0, 3.0]]), (2, 2), 1.0, 0, mode, True)
    assert pooled.abs().sum() == 0
    pooled.sum().backward()
    assert x.grad.abs().sum() == 0


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('corners', [(6.0, 5.0, 2.0, 8.0), (6.0, 8.0, 2.0, 5.0)])
def test_region_turned_inside_out(mode: str, corners: tuple[float, ...]) -> None:
    rois = torch.cat((ROIS[:1], torch.tensor([[1.0, *corners]])))
    x = features().requires_grad_()
    pooled = roi_align(x, rois, (2, 2), 1.0, 0, mode, True)
    assert pooled[1].abs().sum() == 0
    torch.testing.assert_close(pooled[:1], roi_align(x, ROIS[:1], (2, 2), 1.0, 0, mode, True))
    pooled.sum().backward()
    assert x.grad[1].abs().sum() == 0
    assert x.grad[0].abs().sum() > 0
    # Without alignment every region is at least one pixel, from its first corner.
    one_pixel = torch.tensor([[1.0, 6.0, corners[1], 7.0, max(corners[1] + 1, corners[3])]])
    torch.testing.assert_close(
        roi_align(x, rois[1:], (2, 2), 1.0, 0, mode, False),
        roi_align(x, one_pixel, (2, 2), 1.0, 0, mode, False),
    )


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(mode: str, dtype: torch.dtype) -> None:
    x = features().to(dtype).requires_grad_()
    pooled = roi_align(x, ROIS.to(dtype), (2, 2), 0.5, 0, mode, True)
    expected = roi_align(x.float(), ROIS.to(dtype).float(), (2, 2), 0.5, 0, mode, True)
    torch.testing.assert_close(pooled, expected.to(dtype))
    pooled.sum().backward()
    assert x.grad.dtype == dtype


def test_point_sampling_approximates_roi_align() -> None:
    # A linear ramp is sampled exactly by both, inside the image.
    ramp = torch.arange(16.0).expand(1, 1, 16, 16).contiguous()
    rois = torch.tensor([[0.0, 3.0, 3.0, 11.0, 9.0]])
    expected = roi_align(ramp, rois, (4, 4), 1.0, 2, 'avg', True)
    torch.testing.assert_close(SimpleRoIAlign((4, 4), 1.0)(ramp, rois), expected)
    torch.testing.assert_close(expected[0, 0, 0], torch.tensor([3.5, 5.5, 7.5, 9.5]))
