from __future__ import annotations

import pytest
import torch
from mmcv.ops import active_rotated_filter
from torch.autograd import gradcheck

from tests.reference import mmcv_shapes as reference


def operands(size: int, rotations: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Kernels (3, 2, 4, size, size) and a random permutation for each rotation."""
    torch.manual_seed(0)
    entries = 4 * size * size
    places = torch.stack([torch.randperm(entries) + 1 for _ in range(rotations)], 1)
    kernels = torch.randn(3, 2, 4, size, size, dtype=torch.float64, requires_grad=True)
    return kernels, places.view(4, size, size, rotations).int()


@pytest.mark.parametrize('size', [1, 3])
@pytest.mark.parametrize('rotations', [1, 8])
def test_against_reference_and_gradcheck(size: int, rotations: int) -> None:
    kernels, indices = operands(size, rotations)
    actual = active_rotated_filter(kernels, indices)
    assert torch.equal(actual, reference.active_rotated_filter(kernels.detach(), indices))
    assert gradcheck(lambda k: active_rotated_filter(k, indices), kernels, fast_mode=True)
