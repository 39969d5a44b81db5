from __future__ import annotations

import mmcv._ext
import pytest
import torch
from mmcv.ops import PSAMask
from torch.autograd import gradcheck

from tests.reference import mmcv_ops as reference


# As large as the map can need, smaller than it, not square, of even size
@pytest.mark.slow
@pytest.mark.parametrize('size', [(5, 7), (3, 3), (1, 5), (4, 2)])
@pytest.mark.parametrize('kind', ['collect', 'distribute'])
def test_against_reference_and_gradcheck(size: tuple[int, int], kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    relative = torch.randn(
        2, size[0] * size[1], 3, 4, generator=generator, dtype=torch.float64, requires_grad=True
    )
    layer = PSAMask(kind, size)
    expected = reference.psa_mask(relative.detach(), kind == 'collect', size)
    torch.testing.assert_close(layer(relative), expected)
    assert gradcheck(layer, relative)


def test_unknown_kind() -> None:
    arguments = (1, 3, 3, 3, 3, 1, 1)
    with pytest.raises(ValueError, match=r'0 \(collect\) or 1 \(distribute\), got 2'):
        mmcv._ext.psamask_forward(torch.zeros(1, 9, 3, 3), torch.zeros(1, 9, 3, 3), 2, *arguments)
