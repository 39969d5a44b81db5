"""When predictions of two models agree."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.structures import InstanceData

from benchmarks.agreement import Agreement, agreement

BOXES = torch.tensor([[0.0, 0, 100, 100], [50, 50, 80, 90]])


class Sample(SimpleNamespace):
    """A data sample."""

    def __contains__(self, name: str) -> bool:
        return hasattr(self, name)


def sample(**changes: Any) -> Any:
    values = dict(bboxes=BOXES, labels=torch.tensor([0, 1]), scores=torch.tensor([0.9, 0.5]))
    return Sample(pred_instances=InstanceData(**{**values, **changes}))


@pytest.mark.parametrize(
    ('changes', 'equal'),
    [
        (dict(scores=torch.tensor([0.9005, 0.5])), 4),
        (dict(scores=torch.tensor([0.9, 0.502])), 2),
        (dict(labels=torch.tensor([0, 2])), 2),
        (dict(bboxes=BOXES + 0.01), 4),
        (dict(bboxes=BOXES + torch.tensor([[0.0], [1.0]])), 2),
    ],
)
def test_what_agrees(changes: dict[str, Any], equal: int) -> None:
    assert agreement(sample(), sample(**changes)) == Agreement(equal, 4)


def test_boxes_of_no_area_agree_by_their_edges() -> None:
    flat = torch.tensor([[0.0, 5, 100, 5]])
    one = dict(labels=torch.tensor([0]), scores=torch.tensor([0.9]))
    for shift, equal in [(0.01, 2), (1.0, 0)]:
        found = agreement(sample(bboxes=flat, **one), sample(bboxes=flat + shift, **one))
        assert found == Agreement(equal, 2)


def test_masks_and_maps_agree() -> None:
    masks = torch.zeros(2, 10, 10, dtype=torch.bool)
    masks[0] = True
    other = masks.clone()
    other[0, 0] = False
    found = agreement(sample(masks=masks), sample(masks=other))
    assert found == Agreement(2, 4) and found.share == 0.5
    other = masks.clone()
    other[0, 0, 0] = False
    assert agreement(sample(masks=masks), sample(masks=other)) == Agreement(4, 4)
    other[0, 0, 1] = False
    assert agreement(sample(masks=masks), sample(masks=other)) == Agreement(2, 4)
    other[0, 0] = False
    maps = [Sample(pred_sem_seg=SimpleNamespace(data=m)) for m in (masks, other)]
    assert agreement(*maps) == Agreement(190, 200)


def test_instances_may_be_numbered_in_another_order() -> None:
    def compare(*maps: list[int]) -> Agreement:
        segments = [SimpleNamespace(sem_seg=torch.tensor([[ids]])) for ids in maps]
        return agreement(*(Sample(pred_panoptic_seg=each) for each in segments))

    one = [80, 80, 1001, 1001, 1001, 2001]
    assert compare(one, [80, 80, 2001, 2001, 2001, 1001]) == Agreement(6, 6)
    assert compare(one, [80, 80, 2001, 2001, 1001, 1001]) == Agreement(5, 6)
    assert compare(one, [80, 80, 1002, 1002, 1002, 2001]) == Agreement(3, 6)
    assert compare(one, [80, 80, 1001, 1001, 1001, 1001]) == Agreement(5, 6)
