from __future__ import annotations

import pytest
import torch
from mmcv.ops import Voxelization

from tests.helpers.dispatched import count_calls
from tests.reference import mmcv_shapes as reference

SIZE, LIMITS = [0.5, 1.0, 2.0], [0.0, -2.0, -1.0, 3.0, 2.0, 5.0]


def cloud(count: int) -> torch.Tensor:
    """Points (count, 4), some outside the range, many in a voxel, some on borders."""
    generator = torch.Generator().manual_seed(count)
    points = torch.rand(count, 4, generator=generator) * 7 - 2.5
    points[::3] = (points[::3] * 2).round() / 2
    return points


@pytest.mark.parametrize('count', [0, 1, 300])
@pytest.mark.parametrize(('max_points', 'max_voxels'), [(35, 200), (3, 200), (2, 7), (1, 1)])
@pytest.mark.parametrize('deterministic', [True, False])
def test_hard_voxels(count: int, max_points: int, max_voxels: int, deterministic: bool) -> None:
    points = cloud(count)
    layer = Voxelization(SIZE, LIMITS, max_points, max_voxels, deterministic)
    voxels, coordinates, counts = layer(points)
    expected = reference.voxels_of(points, SIZE, LIMITS, max_points, max_voxels)
    assert coordinates.tolist() == [list(key) for key in expected]
    assert counts.tolist() == [len(members) for members in expected.values()]
    assert voxels.shape == (len(expected), max_points, 4)
    for voxel, members in zip(voxels, expected.values(), strict=True):
        assert torch.equal(voxel[: len(members)], points[members])
        assert (voxel[len(members) :] == 0).all()


def test_dynamic_voxels() -> None:
    points = cloud(300)
    points[0, 1] = torch.nan
    coordinates = Voxelization(SIZE, LIMITS, -1)(points)
    expected = [[-1, -1, -1]] * 300
    points[0, 1] = 1e9
    for key, members in reference.voxels_of(points, SIZE, LIMITS, 300, 300).items():
        for member in members:
            expected[member] = list(key)
    assert coordinates.tolist() == expected
    assert [-1, -1, -1] in expected


def test_calls_do_not_grow_with_points() -> None:
    layer = Voxelization(SIZE, LIMITS, 5, 100)
    few, many = (cloud(count) for count in (40, 4000))
    assert count_calls(lambda: layer(few)) == count_calls(lambda: layer(many))
