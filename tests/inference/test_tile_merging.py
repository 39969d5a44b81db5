"""Detections in tiles and in the image as a whole, joined."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torchvision.ops import batched_nms, box_area

from effnet_dense.inference import tile_merging
from effnet_dense.inference.tile_merging import EDGE, IOU, merged
from effnet_dense.inference.tiles import Tiling


def sample(*rows: tuple[float, ...]) -> Any:
    """Return a data sample of 200 × 100 pixels: x1, y1, x2, y2, score, label of each detection."""
    values = torch.tensor(rows).reshape(-1, 6)
    found = InstanceData(bboxes=values[:, :4], scores=values[:, 4], labels=values[:, 5].long())
    return DetDataSample(metainfo=dict(ori_shape=(100, 200)), pred_instances=found)


WINDOWS = [(0, 0, 120, 100), (80, 0, 200, 100)]


@pytest.mark.parametrize(
    'whole, left, right, expected',
    [
        # small, in one tile only
        ([], [(10, 10, 20, 20, 0.9, 0)], [], [(10, 10, 20, 20)]),
        # complete in both tiles: the higher score
        ([], [(85, 10, 105, 30, 0.6, 0)], [(5, 10, 24, 30, 0.7, 0)], [(85, 10, 104, 30)]),
        # cut by the left tile, complete in the right one
        ([], [(90, 10, 119, 40, 0.9, 0)], [(10, 10, 60, 40, 0.5, 0)], [(90, 10, 140, 40)]),
        # cut by both, complete in the image
        (
            [(60, 10, 190, 90, 0.6, 0)],
            [(60, 10, 120, 90, 0.9, 0)],
            [(0, 10, 110, 90, 0.9, 0)],
            [(60, 10, 190, 90)],
        ),
        # cut by the left tile; what is complete is no likely object
        (
            [(60, 10, 190, 90, 0.1, 0)],
            [(60, 10, 119, 90, 0.9, 0)],
            [],
            [(60, 10, 119, 90), (60, 10, 190, 90)],
        ),
        # another class is another object
        (
            [(60, 10, 190, 90, 0.4, 1)],
            [(60, 10, 119, 90, 0.9, 0)],
            [],
            [(60, 10, 119, 90), (60, 10, 190, 90)],
        ),
        # a cut object that nothing else shows, and one at the image's own border
        (
            [],
            [(100, 0, 120, 9, 0.9, 0), (0, 50, 9, 60, 0.8, 0)],
            [],
            [(100, 0, 120, 9), (0, 50, 9, 60)],
        ),
    ],
)
def test_one_box_for_each_object(whole: Any, left: Any, right: Any, expected: Any) -> None:
    found = merged(sample(*whole), [sample(*left), sample(*right)], WINDOWS)
    assert found.pred_instances.bboxes.tolist() == [list(map(float, box)) for box in expected]


def drawn(side: int, count: int) -> Any:
    """Return a data sample of random boxes of two classes."""
    starts = torch.rand(count, 2) * side
    boxes = torch.cat([starts, starts + torch.rand(count, 2) * side / 2], 1).clamp(max=side)
    labels = torch.randint(2, (count,))
    found = InstanceData(bboxes=boxes, scores=torch.rand(count), labels=labels)
    return DetDataSample(metainfo=dict(ori_shape=(side, side)), pred_instances=found)


def test_boxes_of_places_that_touch_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is that of a table of all pairs, which is not made."""
    torch.manual_seed(0)
    windows = Tiling(40).windows(400, 400)
    whole, *tiles = drawn(400, 60), *(drawn(40, 30) for _ in windows)
    expected = by_all_pairs(whole, tiles, windows)
    sizes, intersections = [], tile_merging._intersections

    def counted(one: Any, other: Any) -> Any:
        sizes.append(len(one) * len(other))
        return intersections(one, other)

    monkeypatch.setattr(tile_merging, '_intersections', counted)
    found = merged(whole, tiles, windows).pred_instances
    assert 1000 < len(found) < 60 + 30 * len(windows)
    for name in ('bboxes', 'scores', 'labels'):
        assert torch.equal(found[name], expected[name])
    assert sum(sizes) < (60 + 30 * len(windows)) ** 2 / 8


def by_all_pairs(whole: Any, tiles: Any, windows: Any) -> Any:
    """Return what `merged` does, by tables of all pairs."""
    side = whole.ori_shape[0]
    found, cut = [whole.pred_instances], [torch.zeros(len(whole.pred_instances)).bool()]
    for sample, (x, y, right, bottom) in zip(tiles, windows, strict=True):
        boxes = sample.pred_instances.bboxes + torch.tensor([x, y, x, y])
        first, last = boxes[:, :2] - torch.tensor([x, y]), torch.tensor([right, bottom])
        at_start = (first < EDGE) & torch.tensor([x > 0, y > 0])
        cut.append((at_start | ((last - boxes[:, 2:] < EDGE) & (last < side))).any(1))
        scores, labels = sample.pred_instances.scores, sample.pred_instances.labels
        found.append(InstanceData(bboxes=boxes, scores=scores, labels=labels))
    every, cuts = InstanceData.cat(found), torch.cat(cut)
    boxes, labels = every.bboxes, every.labels
    ends = torch.minimum(boxes[:, None, 2:], boxes[:, 2:])
    shared = (ends - torch.maximum(boxes[:, None, :2], boxes[:, :2])).clamp(min=0).prod(2)
    inside = (shared > box_area(boxes)[:, None] / 2) & (labels[:, None] == labels) & ~cuts
    inside &= every.scores >= every.scores[:, None] / 2
    every = every[~(cuts & inside.any(1))]
    # From 4,000 values on, torchvision's moves no class aside, which would round.
    return every[batched_nms(every.bboxes, every.scores, every.labels, IOU)]
