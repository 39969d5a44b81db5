from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import MaskedConv2d


@pytest.mark.parametrize(('kernel', 'padding'), [(3, 1), (1, 0), ((3, 5), (1, 2)), (5, 2)])
def test_equals_convolution_where_the_mask_is(
    kernel: int | tuple[int, int], padding: int | tuple[int, int]
) -> None:
    torch.manual_seed(0)
    layer = MaskedConv2d(3, 4, kernel, padding=padding)
    x = torch.randn(1, 3, 7, 6)
    mask = torch.rand(1, 7, 6) > 0.5
    with torch.no_grad():
        expected = F.conv2d(x, layer.weight, layer.bias, padding=padding) * mask
        torch.testing.assert_close(layer(x, mask.float()), expected, rtol=1e-5, atol=1e-5)
        full = layer(x, torch.ones(1, 7, 6))
        torch.testing.assert_close(full, layer(x), rtol=1e-5, atol=1e-5)


def test_empty_mask() -> None:
    layer = MaskedConv2d(3, 4, 3, padding=1)
    assert layer(torch.randn(1, 3, 5, 5), torch.zeros(1, 5, 5)).abs().sum() == 0
