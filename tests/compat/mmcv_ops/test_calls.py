"""Calls of torch's dispatcher, and waits for the device, do not grow with the regions."""

from __future__ import annotations

from collections.abc import Callable

import mmcv._ext as ext
import pytest
import torch
from mmcv import ops
from torch import Tensor

from tests.helpers.dispatched import count_calls


def rois(count: int) -> Tensor:
    """Regions of all sizes in two images of 60 pixels."""
    generator = torch.Generator().manual_seed(count)
    corners = torch.rand(count, 2, generator=generator) * 40
    sizes = torch.rand(count, 2, generator=generator) * 40
    image = torch.randint(2, (count, 1), generator=generator)
    return torch.cat((image.float(), corners, corners + sizes), 1)


def step(function: Callable[[Tensor, Tensor], Tensor], count: int) -> Callable[[], object]:
    """A forward and backward pass on `count` regions."""
    x, boxes = torch.randn(2, 4, 20, 20, requires_grad=True), rois(count)
    return lambda: function(x, boxes).sum().backward()


def deform_pool(x: Tensor, boxes: Tensor) -> Tensor:
    offset = torch.ones(len(boxes), 2, 3, 3, requires_grad=True)
    return ops.deform_roi_pool(x, boxes, offset, (3, 3), 0.3)


POOLS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int]] = {
    'roi_pool': (lambda x, boxes: ops.roi_pool(x, boxes, (3, 3), 0.3), 0),
    'roi_align': (lambda x, boxes: ops.roi_align(x, boxes, (3, 3), 0.3, 0, 'avg', True), 0),
    'max_roi_align': (lambda x, boxes: ops.roi_align(x, boxes, (3, 3), 0.3, 0, 'max', True), 1),
    'max_of_4_roi_align': (
        lambda x, boxes: ops.roi_align(x, boxes, (3, 3), 0.3, 2, 'max', False),
        0,
    ),
    'deform_roi_pool': (deform_pool, 2),
}


@pytest.mark.parametrize('name', POOLS)
def test_pooling(name: str) -> None:
    function, waits = POOLS[name]
    few, many = (count_calls(step(function, count)) for count in (16, 512))
    assert few == many
    assert many[0] < 1500
    assert many[1] == waits


def test_nms() -> None:
    def nms(count: int) -> tuple[int, int]:
        boxes = rois(count)[:, 1:].contiguous()
        return count_calls(lambda: ext.nms(boxes, torch.rand(count), iou_threshold=0.5, offset=1))

    def match(count: int) -> tuple[int, int]:
        dets = torch.cat((rois(count)[:, 1:], torch.rand(count, 1)), 1)
        return count_calls(lambda: ext.nms_match(dets, iou_threshold=0.3))

    assert nms(16) == nms(512)
    assert match(16) == match(512)
    assert match(512)[0] < 400
    assert match(512)[1] <= 1


def test_more_classes_than_parts() -> None:
    boxes = rois(2000)[:, 1:].contiguous()

    def batched(classes: int) -> int:
        labels = torch.arange(2000) % classes
        settings = {'type': 'nms', 'iou_threshold': 0.5}
        return count_calls(lambda: ops.batched_nms(boxes, boxes[:, 0], labels, settings))[0]

    assert batched(1000) <= batched(64) + 10
