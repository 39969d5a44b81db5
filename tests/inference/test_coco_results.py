"""Predictions as entries of COCO's results files."""

from __future__ import annotations

import json

import numpy as np
import torch
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from effnet_dense.inference.coco_results import detections, segments


def test_boxes_and_masks() -> None:
    mask = torch.zeros(1, 4, 5, dtype=torch.bool)
    mask[0, 1:3, 2:4] = True
    boxes = torch.tensor([[2.0, 1.0, 4.0, 3.0]])
    scores, labels = torch.tensor([0.5]), torch.tensor([1])
    given = InstanceData(bboxes=boxes, scores=scores, labels=labels, masks=mask)
    (entry,) = detections(given, 7, (10, 20))
    assert (entry['image_id'], entry['category_id'], entry['score']) == (7, 20, 0.5)
    assert entry['bbox'] == [2, 1, 2, 2]
    again = json.loads(json.dumps(entry))['segmentation']
    assert (coco_mask.decode(again) == mask[0].numpy()).all()
    del given.masks
    (entry,) = detections(given, 7, (10, 20))
    assert 'segmentation' not in entry
    assert list(detections(given[:0], 7, (10, 20))) == []


def test_panoptic_segments() -> None:
    """Two things of the first class, stuff of the third, and a void column."""
    panoptic = np.full((4, 6), 2)
    panoptic[:2, :2], panoptic[2:, :2], panoptic[:, 5] = 1000, 2000, 3
    ids, records = segments(panoptic, (10, 20, 30), things=2)
    assert ids.dtype == np.int32
    assert ids.tolist() == [[2, 2, 1, 1, 1, 0]] * 2 + [[3, 3, 1, 1, 1, 0]] * 2
    assert [(r['id'], r['category_id'], r['area'], r['bbox'], r['isthing']) for r in records] == [
        (1, 30, 12, [2, 0, 3, 4], 0),
        (2, 10, 4, [0, 0, 2, 2], 1),
        (3, 10, 4, [0, 2, 2, 2], 1),
    ]
    ids, records = segments(np.full((2, 2), 3), (10, 20, 30), things=2)
    assert not ids.any() and records == []
