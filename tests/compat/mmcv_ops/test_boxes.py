from __future__ import annotations

import pytest
import torch
import torchvision
from mmcv.ops import bbox_overlaps

from tests.helpers.mmcv_operands import random_boxes

BOXES = torch.tensor([[0.0, 0.0, 10.0, 10.0], [10.0, 10.0, 20.0, 20.0], [32.0, 32.0, 38.0, 42.0]])
OTHERS = torch.tensor([[0.0, 0.0, 10.0, 20.0], [0.0, 10.0, 10.0, 19.0], [10.0, 10.0, 20.0, 20.0]])


def test_hand_values() -> None:
    expected = torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(bbox_overlaps(BOXES, OTHERS), expected)


def test_against_torchvision() -> None:
    boxes, others = random_boxes(17, 0), random_boxes(11, 1)
    torch.testing.assert_close(
        bbox_overlaps(boxes, others), torchvision.ops.box_iou(boxes, others), rtol=0, atol=1e-6
    )


def test_offset_counts_pixels() -> None:
    # 11 × 11 pixels and 11 × 21 pixels, 11 × 11 of them common
    iou = bbox_overlaps(BOXES[:1], OTHERS[:1], offset=1)
    torch.testing.assert_close(iou, torch.tensor([[121.0 / 231.0]]))
    # Corners that touch have one pixel in common with the offset, none without it.
    torch.testing.assert_close(
        bbox_overlaps(BOXES[:1], BOXES[1:2], offset=1), torch.tensor([[1.0 / 241.0]])
    )
    assert bbox_overlaps(BOXES[:1], BOXES[1:2], offset=0).item() == 0


def test_foreground_mode_divides_by_the_first() -> None:
    small = torch.tensor([[2.0, 2.0, 4.0, 4.0]])
    assert bbox_overlaps(small, BOXES[:1], mode='iof').item() == 1
    torch.testing.assert_close(bbox_overlaps(BOXES[:1], small, mode='iof'), torch.tensor([[0.04]]))


@pytest.mark.parametrize('mode', ['iou', 'iof'])
@pytest.mark.parametrize('offset', [0, 1])
def test_aligned_is_the_diagonal(mode: str, offset: int) -> None:
    boxes, others = random_boxes(9, 2), random_boxes(9, 3)
    others[::2] = boxes[::2] + 2
    pairs = bbox_overlaps(boxes, others, mode=mode, offset=offset)
    torch.testing.assert_close(
        bbox_overlaps(boxes, others, mode=mode, aligned=True, offset=offset), pairs.diagonal()
    )
    assert (pairs.diagonal() > 0).any()


def test_empty() -> None:
    empty = torch.zeros(0, 4)
    assert bbox_overlaps(empty, BOXES).shape == (0, 3)
    assert bbox_overlaps(BOXES, empty).shape == (3, 0)
    assert bbox_overlaps(empty, empty, aligned=True).shape == (0,)


def test_half_precision_is_computed_in_float32() -> None:
    # 300 * 300 is more than float16 holds.
    box = torch.tensor([[0.0, 0.0, 300.0, 300.0]], dtype=torch.float16)
    assert bbox_overlaps(box, box).item() == 1
