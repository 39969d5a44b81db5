"""A sample of mmdet's pipelines with boxes, masks and a label map."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks


def sample(boxes: Any = ((10, 20, 30, 50), (60, 10, 90, 40)), **more: Any) -> dict[str, Any]:
    """An image (80, 100), its boxes filled by masks and, as classes 0 and 1, in the label map."""
    masks = np.zeros((len(boxes), 80, 100), np.uint8)
    label_map = np.full((80, 100), 2, np.uint8)
    image = np.zeros((80, 100, 3), np.uint8)
    for number, (x1, y1, x2, y2) in enumerate(np.asarray(boxes, int).clip(0)):
        masks[number, y1:y2, x1:x2] = 1
        label_map[y1:y2, x1:x2] = number
        image[y1:y2, x1:x2] = 50 * number + 50
    return dict(
        img=image,
        img_shape=(80, 100),
        ori_shape=(80, 100),
        gt_bboxes=HorizontalBoxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)),
        gt_bboxes_labels=np.arange(len(boxes)) + 5,
        gt_ignore_flags=np.array([False, True, False])[: len(boxes)],
        gt_masks=BitmapMasks(masks, 80, 100),
        gt_seg_map=label_map,
        img_path='a.jpg',
        **more,
    )


def check_types(results: dict[str, Any]) -> None:
    """Assert the types of a transformed sample, and that its fields fit each other."""
    assert isinstance(results['gt_bboxes'], HorizontalBoxes)
    assert results['gt_bboxes'].tensor.dtype == torch.float32
    assert results['gt_bboxes_labels'].dtype == np.int64
    assert results['gt_ignore_flags'].dtype == np.bool_
    assert isinstance(results['gt_masks'], BitmapMasks)
    assert results['gt_masks'].masks.dtype == np.uint8
    count = len(results['gt_bboxes'])
    fields = 'gt_bboxes_labels', 'gt_ignore_flags', 'gt_masks'
    assert [len(results[name]) for name in fields] == [count] * 3
    assert results['img'].shape[:2] == results['gt_masks'].masks.shape[1:]
    assert results['img'].shape[:2] == results['gt_seg_map'].shape == results['img_shape']
