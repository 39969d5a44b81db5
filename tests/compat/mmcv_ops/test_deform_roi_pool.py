from __future__ import annotations

import pytest
import torch
from mmcv.ops import DeformRoIPoolPack, ModulatedDeformRoIPoolPack, deform_roi_pool, roi_align
from torch.autograd import gradcheck

from tests.helpers.mmcv_operands import ROIS, features, roi_offsets
from tests.reference import mmcv_ops as reference


@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_without_offset_is_roi_align(sampling_ratio: int) -> None:
    x, y = features().requires_grad_(), features().requires_grad_()
    actual = deform_roi_pool(x, ROIS, None, (2, 3), 0.5, sampling_ratio)
    expected = roi_align(y, ROIS, (2, 3), 0.5, sampling_ratio, 'avg', True)
    torch.testing.assert_close(actual, expected)
    zero = deform_roi_pool(x, ROIS, torch.zeros_like(roi_offsets()), (2, 3), 0.5, sampling_ratio)
    torch.testing.assert_close(zero, expected, rtol=1e-5, atol=1e-6)
    actual.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_against_reference(sampling_ratio: int) -> None:
    actual = deform_roi_pool(features(), ROIS, roi_offsets(), (2, 3), 0.5, sampling_ratio, 0.2)
    expected = reference.roi_align(
        features(), ROIS, (2, 3), 0.5, sampling_ratio, 'avg', True, roi_offsets(), 0.2
    )
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_gradcheck(sampling_ratio: int) -> None:
    x = features(torch.float64).requires_grad_()
    offset = roi_offsets(torch.float64).requires_grad_()
    rois = ROIS.double()
    assert gradcheck(
        lambda x, o: deform_roi_pool(x, rois, o, (2, 3), 0.5, sampling_ratio, 0.2),
        (x, offset),
        fast_mode=True,
    )


def test_more_regions_than_a_chunk() -> None:
    rois = ROIS[:1].repeat(150, 1)
    rois[75:, 0] = 1
    offset = roi_offsets()[:1].repeat(150, 1, 1, 1)
    pooled = deform_roi_pool(features(), rois, offset, (2, 3), 0.5)
    first = deform_roi_pool(features(), rois[[0, 75]], offset[:2], (2, 3), 0.5)
    torch.testing.assert_close(pooled, first.repeat_interleave(75, 0))


@pytest.mark.parametrize('layer', [DeformRoIPoolPack, ModulatedDeformRoIPoolPack])
def test_layers_train(layer: type[torch.nn.Module]) -> None:
    torch.manual_seed(0)
    pool = layer((2, 3), 3, deform_fc_channels=8, spatial_scale=0.5)
    x = features().requires_grad_()
    pool(x, ROIS).square().sum().backward()
    assert x.grad.abs().sum() > 0
    assert pool.offset_fc[-1].weight.grad.abs().sum() > 0


def test_no_regions() -> None:
    x, offset = features().requires_grad_(), roi_offsets()[:0].requires_grad_()
    for moved in (None, offset):
        pooled = deform_roi_pool(x, ROIS[:0], moved, (2, 3), 0.5)
        assert pooled.shape == (0, 3, 2, 3)
        pooled.sum().backward()
    assert x.grad.abs().sum() == 0


@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_region_without_area(sampling_ratio: int) -> None:
    # A point, lines in both directions, a region turned inside out; then one with area
    rois = torch.tensor(
        [
            [0, 5.0, 5.0, 5.0, 5.0],
            [0, 2.0, 5.0, 9.0, 5.0],
            [1, 5.0, 2.0, 5.0, 9.0],
            [1, 9.0, 9.0, 4.0, 4.0],
            [1, 2.0, 3.0, 9.0, 9.0],
        ]
    )
    x, offset = features().requires_grad_(), roi_offsets().requires_grad_()
    pooled = deform_roi_pool(x, rois, offset, (2, 3), 0.5, sampling_ratio, 0.1)
    expected = reference.roi_align(
        features(), rois, (2, 3), 0.5, sampling_ratio, 'avg', True, offset.detach(), 0.1
    )
    torch.testing.assert_close(pooled, expected, rtol=1e-5, atol=1e-5)
    pooled.sum().backward()
    assert x.grad.isfinite().all()
    assert offset.grad.isfinite().all()
    if sampling_ratio == 0:
        assert pooled[:4].abs().sum() == 0
        assert offset.grad[:4].abs().sum() == 0
    alone = deform_roi_pool(x, rois[:1], offset[:1], (2, 3), 0.5, sampling_ratio, 0.1)
    torch.testing.assert_close(alone, pooled[:1])
