"""Box deltas against mmdet's."""

from __future__ import annotations

import pytest
import torch
from mmdet.models.task_modules.coders.delta_xywh_bbox_coder import bbox2delta

from effnet_dense.models.box_deltas import box_deltas


@pytest.mark.parametrize(
    ('means', 'stds'),
    [
        ((0.0,) * 4, (1.0,) * 4),
        ((0.0, 0.1, -0.2, 0.3), (0.1, 0.1, 0.2, 0.2)),
        ((0.0,) * 4, (2.0,) * 4),
    ],
)
def test_bits_of_mmdet(means: tuple[float, ...], stds: tuple[float, ...]) -> None:
    torch.manual_seed(0)
    corners, sizes = torch.rand(2, 50, 2) * 100, torch.rand(2, 50, 2) * 50 + 1
    anchors, boxes = torch.cat([corners, corners + sizes], -1)
    found = box_deltas(anchors, boxes, means, stds)
    assert torch.equal(found, bbox2delta(anchors, boxes, means, stds))


def test_by_hand() -> None:
    anchors = torch.tensor([[0.0, 0.0, 10.0, 20.0]])
    boxes = torch.tensor([[5.0, 0.0, 15.0, 40.0]])
    found = box_deltas(anchors, boxes, (0,) * 4, (1,) * 4)
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.5, 0.0, 0.6931472]]))
