from __future__ import annotations

import mmcv._ext as ext
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.ops import batched_nms, box_iou_quadri, box_iou_rotated, nms_quadri, nms_rotated

from effnet_dense.compat.mmcv_ops import polygon_overlaps
from tests.helpers.dispatched import count_calls
from tests.reference import mmcv_shapes as reference


def rotated_boxes(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 5, generator=generator) * torch.tensor([40, 40, 30, 30, 6.3])


def quadrilaterals(count: int, seed: int = 0) -> torch.Tensor:
    """Convex ones, corners on an ellipse, of both orientations."""
    generator = torch.Generator().manual_seed(seed)
    angle = (torch.rand(count, 4, generator=generator) * 6.3).sort(1).values
    angle[::2] = angle[::2].flip(1)
    centre = torch.rand(count, 1, 2, generator=generator) * 30
    corners = torch.stack((12 * angle.cos(), 8 * angle.sin()), -1)
    return (centre + corners).flatten(1)


def as_corners(boxes: torch.Tensor) -> list[list[reference.Point]]:
    if boxes.shape[1] == 5:
        return [reference.corners_of(box) for box in boxes]
    return boxes.view(-1, 4, 2).tolist()


@pytest.mark.parametrize('mode', ['iou', 'iof'])
@pytest.mark.parametrize('kind', ['rotated', 'quadri'])
def test_overlaps_against_clipping(kind: str, mode: str) -> None:
    create, function = {
        'rotated': (rotated_boxes, box_iou_rotated),
        'quadri': (quadrilaterals, box_iou_quadri),
    }[kind]
    a, b = create(13, 0), create(7, 1)
    expected = torch.tensor(
        [[reference.polygon_iou(p, q, mode == 'iof') for q in as_corners(b)] for p in as_corners(a)]
    )
    torch.testing.assert_close(function(a, b, mode), expected, rtol=1e-4, atol=1e-5)
    assert ((expected > 0) & (expected < 1)).sum() > 20
    torch.testing.assert_close(
        function(a[:7], b, mode, aligned=True), expected[:7].diagonal(), rtol=1e-4, atol=1e-5
    )
    assert function(a[:0], b, mode).shape == (0, 7)
    assert function(a, b[:0], mode).shape == (13, 0)
    assert function(a[:0], b[:0], mode, aligned=True).shape == (0,)


def test_counterclockwise_angles() -> None:
    a, b = rotated_boxes(9, 0), rotated_boxes(9, 1)
    turned = [torch.cat((boxes[:, :4], -boxes[:, 4:]), 1) for boxes in (a, b)]
    torch.testing.assert_close(
        box_iou_rotated(a, b, clockwise=False), box_iou_rotated(*turned), rtol=1e-5, atol=1e-6
    )


def test_limits() -> None:
    boxes = rotated_boxes(6)
    for same in (boxes, boxes * 1000, boxes.double(), boxes.half().float()):
        torch.testing.assert_close(box_iou_rotated(same, same, aligned=True).float(), torch.ones(6))
    flat = torch.tensor([[5.0, 5.0, 0.0, 9.0, 0.4], [5.0, 5.0, -3.0, 9.0, 0.4]])
    assert box_iou_rotated(flat, boxes).abs().sum() == 0
    assert box_iou_rotated(boxes, flat).abs().sum() == 0
    touching = torch.tensor([[0.0, 0.0, 2.0, 2.0, 0.0], [2.0, 0.0, 2.0, 2.0, 0.0]])
    assert box_iou_rotated(touching, touching).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert box_iou_rotated(boxes.bfloat16(), boxes.bfloat16()).dtype == torch.bfloat16


@settings(max_examples=10, deadline=None)
@given(
    count=st.integers(1, 16),
    threshold=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 999),
)
def test_nms_against_reference(count: int, threshold: float, seed: int) -> None:
    scores = torch.rand(count, generator=torch.Generator().manual_seed(seed))
    for boxes, function in (
        (rotated_boxes(count, seed), nms_rotated),
        (quadrilaterals(count, seed), nms_quadri),
    ):
        dets, kept = function(boxes, scores, threshold)
        assert kept.tolist() == reference.polygon_nms(as_corners(boxes), scores, threshold)
        torch.testing.assert_close(dets, torch.cat((boxes, scores[:, None]), 1)[kept])
        # As in mmcv, labels are carried along, and classes are kept apart by batched_nms.
        assert function(boxes, scores, threshold, torch.arange(count))[1].tolist() == kept.tolist()


@pytest.mark.parametrize('kind', ['rotated', 'quadri'])
def test_batched_nms_keeps_classes_apart(kind: str) -> None:
    boxes = rotated_boxes(40) if kind == 'rotated' else quadrilaterals(40)
    scores, classes = torch.rand(40), torch.arange(40) % 3
    config = {'type': f'nms_{kind}', 'iou_threshold': 0.1}
    _, keep = batched_nms(boxes, scores, classes, config)
    expected = set()
    for c in range(3):
        members = (classes == c).nonzero()[:, 0]
        kept = reference.polygon_nms(as_corners(boxes[members]), scores[members], 0.1)
        expected |= set(members[kept].tolist())
    assert set(keep.tolist()) == expected


def test_thresholds_below_zero_are_errors() -> None:
    with pytest.raises(ValueError, match=r'iou_threshold must be at least 0, got -0\.1'):
        nms_rotated(rotated_boxes(3), torch.rand(3), -0.1)


def test_calls_do_not_grow_with_boxes() -> None:
    def calls(count: int) -> list[tuple[int, int]]:
        boxes, ious, scores = rotated_boxes(count), torch.zeros(count * count), torch.rand(count)
        return [
            count_calls(lambda: ext.box_iou_rotated(boxes, boxes, ious, 0, False)),
            count_calls(lambda: nms_rotated(boxes, scores, 0.5)),
        ]

    assert calls(16) == calls(512)
    assert [waits for _, waits in calls(16)] == [1, 1]


def test_more_pairs_than_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = rotated_boxes(20)
    expected = box_iou_rotated(boxes, boxes)
    monkeypatch.setattr(polygon_overlaps, 'MAX_PAIRS', 7)
    torch.testing.assert_close(box_iou_rotated(boxes, boxes), expected)
