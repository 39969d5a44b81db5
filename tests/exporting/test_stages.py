"""Modules for every size are compared with PyTorch at a size at which they were not traced."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from effnet_dense.exporting.any_size import Plan
from effnet_dense.exporting.stages import Stages


class Sums(nn.Module):
    """Adds the sums of rows up; in images of `odd` rows they are doubled."""

    def __init__(self, odd: int) -> None:
        super().__init__()
        self.odd = odd

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C · H)."""
        rows = images.sum(3).flatten(1)
        return rows * 2 if images.shape[2] == self.odd else rows


def test_every_size() -> None:
    stages = Stages(torch.zeros(2, 3, 8, 8), True, plan=Plan(8))
    stages.trace(Sums(odd=0), ['images'], ['rows'])
    session = onnxruntime.InferenceSession(stages.models[0].SerializeToString())
    images = np.random.default_rng(0).standard_normal((3, 3, 40, 8), np.float32)
    (found,) = session.run(None, {'images': images})
    np.testing.assert_allclose(found, images.sum(3).reshape(3, -1), rtol=1e-4, atol=1e-5)


def test_what_two_sizes_do_not_show() -> None:
    stages = Stages(torch.zeros(2, 3, 8, 8), True, plan=Plan(8))
    with pytest.raises(ValueError, match=r'Sums .* every size: \d+\.\d+% of its results'):
        stages.trace(Sums(odd=8), ['images'], ['rows'])


def test_what_they_show() -> None:
    stages = Stages(torch.zeros(2, 3, 8, 8), True, plan=Plan(8))
    with pytest.raises(ValueError, match='no graph for every size'):
        stages.trace(Sums(odd=16), ['images'], ['rows'])
