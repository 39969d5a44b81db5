from __future__ import annotations

import pytest
import torch
from mmcv import ops

from effnet_dense.compat.mmcv_ops import roi_sampling
from effnet_dense.compat.mmcv_ops.roi_sampling import (
    bag_sums,
    bin_starts,
    corners,
    parts,
    pixels,
    regions,
    sample_grid,
)
from tests.helpers.mmcv_operands import ROIS, features, roi_offsets
from tests.reference import mmcv_ops as reference


def test_corners_at_and_beyond_every_border() -> None:
    x = features(torch.float64)  # 7 × 9
    places = [-1.01, -1.0, -0.5, 0.0, 0.25, 5.75, 6.0, 6.5, 7.0, 7.01, 8.0, 8.9, 9.0, 9.01, 30.0]
    points = torch.cartesian_prod(*[torch.tensor(places, dtype=torch.float64)] * 2)
    image = torch.arange(len(points)) % 2
    index, weight = corners((7, 9), image, points[:, 0], points[:, 1])
    actual = bag_sums(pixels(x), index, weight, torch.ones_like(image))
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


def test_sample_grid_by_hand() -> None:
    # Two bins each: 2 × 1 samples (x, y), then none, then 1 × 2
    grid = sample_grid(torch.tensor([[2, 1], [3, 0], [1, 2]]), 2, 8)
    assert grid.counts.tolist() == [2, 2, 0, 0, 2, 2]
    assert grid.bin.tolist() == [0, 0, 1, 1, 4, 4, 5, 5]
    assert grid.row.tolist() == [0.5, 0.5, 0.5, 0.5, 0.25, 0.75, 0.25, 0.75]
    assert grid.column.tolist() == [0.25, 0.75, 0.25, 0.75, 0.5, 0.5, 0.5, 0.5]
    assert len(sample_grid(torch.zeros(0, 2, dtype=torch.long), 4, 0).bin) == 0


def test_bin_starts_by_hand() -> None:
    top, left = bin_starts(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 3.0]]), (2, 3))
    assert top.tolist() == [[[2.0] * 3, [5.0] * 3]]
    assert left.tolist() == [[[1.0, 1.5, 2.0]] * 2]


def test_parts_hold_the_limit() -> None:
    samples = torch.tensor([[1, 1], [2, 2], [1, 3], [9, 9], [1, 1]])
    assert list(parts(samples, 1, 0, 100)) == [(slice(0, 5), 90)]
    assert list(parts(samples, 1, 0, 8)) == [(slice(0, 3), 8), (slice(3, 4), 81), (slice(4, 5), 1)]
    counts = [2, 8, 6, 162, 2]
    assert list(parts(samples, 2, 0, 8)) == [(slice(i, i + 1), n) for i, n in enumerate(counts)]
    assert list(parts(samples[:0], 2, 0, 8)) == [(slice(0, 0), 0)]


def test_parts_of_a_fixed_number_of_samples() -> None:
    samples = torch.full((5, 2), 3)
    assert list(parts(samples, 2, 3, 36)) == [
        (slice(0, 2), 36),
        (slice(2, 4), 36),
        (slice(4, 5), 18),
    ]
    assert list(parts(samples, 2, 3, 1)) == [(slice(i, i + 1), 18) for i in range(5)]
    assert list(parts(samples[:0], 2, 3, 36)) == [(slice(0, 0), 0)]


@pytest.mark.parametrize('ratio', [0, 2])
def test_parts_give_the_same(ratio: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def results() -> list[torch.Tensor]:
        x = features(torch.float64).requires_grad_()
        offset = roi_offsets(torch.float64).requires_grad_()
        rois = ROIS.double()
        outputs = (
            ops.roi_align(x, rois, (2, 3), 0.5, ratio, 'max', True),
            ops.deform_roi_pool(x, rois, offset, (2, 3), 0.5, ratio),
            ops.roi_align_rotated(x, torch.cat((rois, rois[:, :1]), 1), (2, 3), 0.5, ratio, False),
            ops.bezier_align(x, rois[:, [0, *[1, 2, 3, 4] * 4]], (2, 3), 0.5, ratio),
        )
        total = sum(output.square().sum() for output in outputs)
        return [*outputs, *torch.autograd.grad(total, (x, offset))]

    expected = results()
    monkeypatch.setattr(roi_sampling, 'MAX_SAMPLES', 30)
    for actual, other in zip(results(), expected, strict=True):
        torch.testing.assert_close(actual, other)
