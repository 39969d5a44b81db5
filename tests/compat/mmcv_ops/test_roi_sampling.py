from __future__ import annotations

import torch

from effnet_dense.compat.mmcv_ops.roi_sampling import bilinear_sample, regions, sample_offsets
from tests.helpers.mmcv_operands import features
from tests.reference import mmcv_ops as reference


def test_bilinear_sample_at_and_beyond_every_border() -> None:
    x = features(torch.float64)  # 7 × 9
    places = [-1.01, -1.0, -0.5, 0.0, 0.25, 5.75, 6.0, 6.5, 7.0, 7.01, 8.0, 8.9, 9.0, 9.01, 30.0]
    points = torch.cartesian_prod(*[torch.tensor(places, dtype=torch.float64)] * 2)
    image = torch.arange(len(points)) % 2
    actual = bilinear_sample(x, image, points[:, 0], points[:, 1])
    expected = torch.stack(
        [
            reference.bilinear(x[n], y, x_)
            for n, (y, x_) in zip(image.tolist(), points.tolist(), strict=True)
        ]
    )
    torch.testing.assert_close(actual, expected)
    assert (expected == 0).all(1).any()


def test_regions_by_hand() -> None:
    rois = torch.tensor([[1.0, 4.0, 8.0, 20.0, 12.0]])
    where = regions(rois, 0.25, (2, 2), 0, aligned=True)
    assert where.image.tolist() == [1]
    assert where.start.tolist() == [[0.5, 1.5]]
    assert where.bins.tolist() == [[2.0, 0.5]]
    assert where.samples.tolist() == [[2, 1]]
    assert regions(rois, 0.25, (2, 2), 3, aligned=True).samples.tolist() == [[3, 3]]
    assert regions(rois, 0.125, (2, 2), 0, aligned=False).bins.tolist() == [[1.0, 0.5]]


def test_sample_offsets_by_hand() -> None:
    offsets = sample_offsets(torch.tensor([2.0, 4.0]), 2, 2)
    assert offsets.tolist() == [[[0.5, 1.5], [2.5, 3.5]], [[1.0, 3.0], [5.0, 7.0]]]
    assert sample_offsets(torch.tensor([0.0]), 3, 0).shape == (1, 3, 0)
