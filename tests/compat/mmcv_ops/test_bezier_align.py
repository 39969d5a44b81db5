from __future__ import annotations

import pytest
import torch
from mmcv.ops import BezierAlign, bezier_align
from torch.autograd import gradcheck

from tests.helpers.mmcv_operands import features
from tests.reference import mmcv_shapes as reference

BEZIERS = torch.tensor(
    [
        [0, 1, 2, 4, 1, 9, 3, 14, 2, 15, 9, 10, 12, 5, 8, 1, 9],
        [1, -3, 2, 4, -5, 9, 3, 30, 8, 25, 19, 10, 12, 5, 8, 1, 9],
        [1, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5],
    ],
    dtype=torch.float64,
)


@pytest.mark.parametrize('ratio', [0, 2])
@pytest.mark.parametrize('aligned', [True, False])
def test_against_reference(ratio: int, aligned: bool) -> None:
    x = features(torch.float64)
    expected = reference.bezier_align(x, BEZIERS, (2, 5), 0.5, ratio, aligned)
    torch.testing.assert_close(bezier_align(x, BEZIERS, (2, 5), 0.5, ratio, aligned), expected)
    actual = BezierAlign((2, 5), 0.5, ratio, aligned)(x.float(), BEZIERS.float())
    torch.testing.assert_close(actual, expected.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('ratio', [0, 2])
def test_gradcheck(ratio: int) -> None:
    x = features(torch.float64).requires_grad_()
    assert gradcheck(lambda x: bezier_align(x, BEZIERS, (2, 3), 0.5, ratio), x, fast_mode=True)


def test_no_regions() -> None:
    x = features().requires_grad_()
    pooled = bezier_align(x, BEZIERS[:0].float(), (2, 3), 0.5)
    assert pooled.shape == (0, 3, 2, 3)
    pooled.sum().backward()
    assert x.grad.abs().sum() == 0
