from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from effnet_dense.compat.mmcv_ops.polygons import areas, intersections, rotated_corners
from tests.reference import mmcv_shapes as reference

SQUARE = [[0, 0], [2, 0], [2, 2], [0, 2]]


def polygon(*points: list[float]) -> torch.Tensor:
    return torch.tensor([points], dtype=torch.float64)


def test_corners_turn_from_x_to_y() -> None:
    boxes = torch.tensor([[1.0, 2.0, 4.0, 2.0, torch.pi / 2], [0.0, 0.0, 4.0, 2.0, 0.3]])
    corners = rotated_corners(boxes)
    expected = torch.tensor([[2.0, 0.0], [2.0, 4.0], [0.0, 4.0], [0.0, 0.0]])
    torch.testing.assert_close(corners[0], expected)
    torch.testing.assert_close(corners[1], torch.tensor(reference.corners_of(boxes[1])))
    assert areas(corners).tolist() == pytest.approx([8.0, 8.0])


@pytest.mark.parametrize(
    ('points', 'common'),
    [
        (SQUARE, 4.0),  # itself
        (SQUARE[::-1], 4.0),  # of the other orientation
        (SQUARE[1:] + SQUARE[:1], 4.0),
        ([[2, 0], [4, 0], [4, 2], [2, 2]], 0.0),  # a common side
        ([[2, 2], [4, 2], [4, 4], [2, 4]], 0.0),  # a common corner
        ([[1, 0], [3, 0], [3, 2], [1, 2]], 2.0),  # sides on common lines
        ([[0.5, 0.5], [1.5, 0.5], [1.5, 1.5], [0.5, 1.5]], 1.0),  # inside
        ([[-1, -1], [3, -1], [3, 3], [-1, 3]], 4.0),  # around
        ([[1, -1], [3, 1], [1, 3], [-1, 1]], 4.0),  # a diamond through the corners
        ([[1, 0], [2, 1], [1, 2], [0, 1]], 2.0),  # a diamond whose corners are on the sides
        ([[0, 0], [2, 0], [0.5, 0.5], [0, 2]], 1.0),  # not convex
        ([[0, 0], [2, 2], [2, 2], [0, 0]], 0.0),  # flat
        ([[1, 1], [1, 1], [1, 1], [1, 1]], 0.0),
        ([[0, 0], [2, 0], [2, 2], [2, 2]], 2.0),  # a triangle
    ],
)
def test_intersections_by_hand(points: list[list[float]], common: float) -> None:
    for move in (0.0, 1e4):
        a, b = polygon(*SQUARE) + move, polygon(*points) + move
        assert intersections(a, b).item() == pytest.approx(common)
        assert intersections(b, a).item() == pytest.approx(common)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 9999), spread=st.sampled_from([1.0, 30.0]), step=st.booleans())
def test_rotated_boxes_against_clipping(seed: int, spread: float, step: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.rand(2, 8, 5, generator=generator, dtype=torch.float64)
    boxes = boxes * torch.tensor([spread, spread, 20, 20, 8])
    if step:  # many equal sides and right angles
        boxes = boxes.clamp(min=1)
        boxes = torch.cat((boxes[..., :4].round(), (boxes[..., 4:] % 2).round() * torch.pi / 2), -1)
    a, b = (rotated_corners(side) for side in boxes)
    expected = [
        abs(reference.signed_area(reference.clip(p, q)))
        for p, q in zip(a.tolist(), b.tolist(), strict=True)
    ]
    torch.testing.assert_close(
        intersections(a, b), torch.tensor(expected, dtype=torch.float64), rtol=1e-7, atol=1e-7
    )


def test_gradcheck() -> None:
    torch.manual_seed(0)
    boxes = torch.rand(2, 6, 5, dtype=torch.float64) * torch.tensor([5, 5, 9, 9, 3]) + 1
    a, b = (rotated_corners(side).requires_grad_() for side in boxes)
    assert gradcheck(intersections, (a, b), fast_mode=True)
