"""Which 3-D points lie in which boxes.

Points are (…, 3); boxes (…, 7): x, y of the centre, z of the bottom, sizes along x, y, z, and the
rotation about z in radians.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Parts of the points, whatever their number, to bound the memory
PARTS = 8


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """Return (…, M, T), True where a point of (…, M, 3) is in a box of (…, T, 7).

    A box includes its top and bottom, but not its sides.
    """
    x, y, z = points[..., None, :].unbind(-1)
    centre_x, centre_y, bottom, size_x, size_y, size_z, angle = boxes[..., None, :, :].unbind(-1)
    x, y = x - centre_x, y - centre_y
    cos, sin = angle.cos(), angle.sin()
    return (
        ((z - (bottom + size_z / 2)).abs() <= size_z / 2)
        & ((x * cos + y * sin).abs() < size_x / 2)
        & ((y * cos - x * sin).abs() < size_y / 2)
    )


def points_in_boxes_cpu_forward(
    boxes_tensor: Tensor, pts_tensor: Tensor, pts_indices_tensor: Tensor
) -> None:
    """Write 1 for points (M, 3) in boxes (T, 7), else 0, to (T, M)."""
    split = zip(
        pts_tensor.tensor_split(PARTS), pts_indices_tensor.tensor_split(PARTS, 1), strict=True
    )
    for points, result in split:
        result.copy_(_inside(points, boxes_tensor).mT)


def points_in_boxes_all_forward(
    boxes_tensor: Tensor, pts_tensor: Tensor, box_idx_of_points_tensor: Tensor
) -> None:
    """Write 1 for points (N, M, 3) in boxes (N, T, 7), else 0, to (N, M, T)."""
    split = zip(
        pts_tensor.tensor_split(PARTS, 1),
        box_idx_of_points_tensor.tensor_split(PARTS, 1),
        strict=True,
    )
    for points, result in split:
        result.copy_(_inside(points, boxes_tensor))


def points_in_boxes_part_forward(
    boxes_tensor: Tensor, pts_tensor: Tensor, box_idx_of_points_tensor: Tensor
) -> None:
    """Write the first of boxes (N, T, 7) that has each point (N, M, 3) to (N, M); -1 for none."""
    if boxes_tensor.shape[1] == 0:
        box_idx_of_points_tensor.fill_(-1)
        return
    split = zip(
        pts_tensor.tensor_split(PARTS, 1),
        box_idx_of_points_tensor.tensor_split(PARTS, 1),
        strict=True,
    )
    for points, result in split:
        inside = _inside(points, boxes_tensor)
        result.copy_(torch.where(inside.any(-1), inside.to(torch.uint8).argmax(-1), -1))
