from __future__ import annotations

import pytest
import torch
from mmcv.ops import RoIAlignRotated, roi_align, roi_align_rotated
from torch.autograd import gradcheck

from tests.helpers.dispatched import count_calls
from tests.helpers.mmcv_operands import features
from tests.reference import mmcv_shapes as reference

# Inside; off the map; smaller than a pixel; in the second image, turned by more than a circle
ROIS = torch.tensor(
    [
        [0, 7.3, 6.1, 9.7, 5.4, 0.4],
        [0, 0.0, -3.0, 30.0, 15.0, -1.1],
        [1, 8.0, 8.0, 0.4, 0.2, 2.0],
        [1, 9.5, 7.0, 6.3, 12.9, 7.5],
        [0, 80.0, 80.0, 10.0, 5.0, 0.1],
        [1, 9.0, 7.0, 0.0, 5.0, 0.1],
    ],
    dtype=torch.float64,
)


@pytest.mark.parametrize('ratio', [0, 2])
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('clockwise', [True, False])
def test_against_reference(ratio: int, aligned: bool, clockwise: bool) -> None:
    x = features(torch.float64)
    settings = ((2, 3), 0.5, ratio, aligned, clockwise)
    expected = reference.roi_align_rotated(x, ROIS, *settings)
    torch.testing.assert_close(roi_align_rotated(x, ROIS, *settings), expected)
    actual = roi_align_rotated(x.float(), ROIS.float(), *settings)
    torch.testing.assert_close(actual, expected.float(), rtol=1e-4, atol=1e-4)


def test_without_rotation_is_roi_align() -> None:
    x = features(torch.float64)
    corners = torch.cat((ROIS[:4, 1:3] - ROIS[:4, 3:5] / 2, ROIS[:4, 1:3] + ROIS[:4, 3:5] / 2), 1)
    upright = torch.cat((ROIS[:4, :5], torch.zeros(4, 1, dtype=torch.float64)), 1)
    torch.testing.assert_close(
        roi_align_rotated(x, upright, (2, 3), 0.5),
        roi_align(x, torch.cat((ROIS[:4, :1], corners), 1), (2, 3), 0.5),
    )


@pytest.mark.parametrize('ratio', [0, 2])
def test_gradcheck(ratio: int) -> None:
    x = features(torch.float64).requires_grad_()
    assert gradcheck(
        lambda x: roi_align_rotated(x, ROIS, (2, 3), 0.5, ratio, True, True), x, fast_mode=True
    )


def test_half_precision_and_no_regions() -> None:
    x = features().bfloat16().requires_grad_()
    pooled = RoIAlignRotated((2, 3), 0.5)(x, ROIS.bfloat16())
    assert pooled.dtype == torch.bfloat16
    pooled.float().sum().backward()
    assert x.grad.isfinite().all()
    empty = roi_align_rotated(features().requires_grad_(), ROIS[:0].float(), (2, 3), 0.5)
    assert empty.shape == (0, 3, 2, 3)
    empty.sum().backward()


def test_calls_do_not_grow_with_regions() -> None:
    def calls(count: int) -> tuple[int, int]:
        x, rois = features().requires_grad_(), ROIS[:5].float().repeat(count, 1)
        return count_calls(lambda: roi_align_rotated(x, rois, (2, 3), 0.5).sum().backward())

    assert calls(3) == calls(100)
