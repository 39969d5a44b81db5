from __future__ import annotations

import mmcv._ext as ext
import pytest
import torch
from mmcv.ops import points_in_boxes_cpu

from tests.reference import mmcv_shapes as reference


def operands(points: int, boxes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([4.0, 4, 4, 5, 5, 5, 7])
    return (
        torch.rand(2, points, 3, generator=generator) * 6,
        torch.rand(2, boxes, 7, generator=generator) * scale,
    )


@pytest.mark.parametrize(('points', 'boxes'), [(50, 6), (3, 1), (0, 2), (5, 0)])
def test_against_reference(points: int, boxes: int) -> None:
    pts, box = operands(points, boxes)
    expected = torch.tensor(
        [
            [[reference.point_in_box(p, b) for b in each] for p in some]
            for some, each in zip(pts.tolist(), box.tolist(), strict=True)
        ]
    ).view(2, points, boxes)
    every = torch.full((2, points, boxes), 9, dtype=torch.int)
    ext.points_in_boxes_all_forward(box, pts, every)
    assert torch.equal(every, expected.int())
    assert torch.equal(points_in_boxes_cpu(pts, box), expected.int())
    first = torch.full((2, points), 9, dtype=torch.int)
    ext.points_in_boxes_part_forward(box, pts, first)
    assert first.tolist() == [
        [row.index(True) if any(row) else -1 for row in image] for image in expected.tolist()
    ]


def test_borders() -> None:
    box = torch.tensor([[[0.0, 0.0, 1.0, 2.0, 4.0, 3.0, 0.0]]])  # z from 1 to 4
    inside = [[0, 0, 1], [0, 0, 4], [0.9, 1.9, 2]]
    outside = [[0, 0, 0.9], [0, 0, 4.1], [1, 0, 2], [0, -2, 2]]
    points = torch.tensor([[*inside, *outside]])
    assert points_in_boxes_cpu(points, box)[0, :, 0].tolist() == [1, 1, 1, 0, 0, 0, 0]
