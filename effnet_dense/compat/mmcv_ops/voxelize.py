"""Sort 3-D points into voxels (Zhou and Tuzel 2018, arXiv:1711.06396).

Points are (K, F), x, y, z and other features. voxel_size (3,) and coors_range (6,), minima and
maxima, are in the order x, y, z; voxels' coordinates are z, y, x.
"""

from __future__ import annotations

import torch
from torch import Tensor

from effnet_dense.ops.precision import at_least_float32


def _grid(voxel_size: Tensor, coors_range: Tensor) -> Tensor:
    """Return the numbers of voxels (3,) along x, y and z."""
    return ((coors_range[3:] - coors_range[:3]) / voxel_size).round().long()


def _coordinates(points: Tensor, voxel_size: Tensor, coors_range: Tensor) -> tuple[Tensor, Tensor]:
    """Return points' coordinates (K, 3), x, y, z, and whether they are in the range (K,)."""
    (points,) = at_least_float32(points[:, :3])
    size, limits = (tensor.to(points) for tensor in (voxel_size, coors_range))
    position = ((points - limits[:3]) / size).floor()
    grid = _grid(voxel_size, coors_range).to(points)
    inside = ((position >= 0) & (position < grid)).all(1)  # False for NaN
    return torch.where(inside[:, None], position, 0).long(), inside


def _check(NDim: int) -> None:
    if NDim != 3:
        raise ValueError(f'NDim must be 3, got {NDim}')


def dynamic_voxelize_forward(
    points: Tensor, voxel_size: Tensor, coors_range: Tensor, coors: Tensor, NDim: int
) -> None:
    """Write each point's voxel (K, 3) to coors; -1 for points outside the range."""
    _check(NDim)
    position, inside = _coordinates(points, voxel_size, coors_range)
    coors.copy_(torch.where(inside[:, None], position.flip(1), -1))


def hard_voxelize_forward(
    points: Tensor,
    voxel_size: Tensor,
    coors_range: Tensor,
    voxels: Tensor,
    coors: Tensor,
    num_points_per_voxel: Tensor,
    voxel_num: Tensor,
    max_points: int,
    max_voxels: int,
    NDim: int,
    deterministic: bool,
) -> None:
    """Write the first points of each voxel, in order of the voxels' first points.

    Args:
        points: (K, F).
        voxel_size: (3,).
        coors_range: (6,).
        voxels: (max_voxels, max_points, F), receives the points.
        coors: (max_voxels, 3), receives the voxels' coordinates.
        num_points_per_voxel: (max_voxels,), receives the numbers of points written.
        voxel_num: (), receives the number of voxels.
        max_points: Points per voxel; later ones are dropped.
        max_voxels: Later voxels are dropped.
        NDim: 3.
        deterministic: Unused, results always are.
    """
    _check(NDim)
    position, inside = _coordinates(points, voxel_size, coors_range)
    kept = inside.nonzero()[:, 0]
    grid = _grid(voxel_size, coors_range).to(position)
    key = (position[kept, 2] * grid[1] + position[kept, 1]) * grid[0] + position[kept, 0]
    order = key.argsort(stable=True)
    _, voxel, counts = key[order].unique_consecutive(return_inverse=True, return_counts=True)
    starts = counts.cumsum(0) - counts
    rank = torch.arange(len(order), device=order.device) - starts[voxel]
    # Voxels are numbered by their first points, and each voxel's points are already in order.
    by_first = order[starts].argsort()
    number = torch.empty_like(by_first)
    number[by_first] = torch.arange(len(by_first), device=order.device)
    number = number[voxel]
    written = ((number < max_voxels) & (rank < max_points)).nonzero()[:, 0]
    number, rank, source = number[written], rank[written], kept[order[written]]
    voxels[number, rank] = points[source].to(voxels.dtype)
    coors[number] = position[source].flip(1).to(coors.dtype)
    count = min(len(counts), max_voxels)
    num_points_per_voxel[:count] = (
        counts[by_first][:count].clamp(max=max_points).to(num_points_per_voxel.dtype)
    )
    voxel_num.fill_(count)
