"""What collectors keep of each image."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import torch
from mmdet.evaluation import CocoMetric
from mmseg.evaluation import IoUMetric

from effnet_dense.report.collectors import (
    DetectionCollector,
    PanopticCollector,
    SegmentationCollector,
)


def test_the_best_hundred_detections() -> None:
    metric = CocoMetric(metric='bbox')
    scores = torch.linspace(0, 1, 120)
    boxes = torch.arange(480.0).view(120, 4)
    found = dict(bboxes=boxes, scores=scores, labels=torch.zeros(120, dtype=torch.long))
    sample = dict(pred_instances=found, img_id=5, ori_shape=(9, 9), img_path='a.jpg', instances=[])
    collector = DetectionCollector(metric)
    metric.process({}, [sample])
    collector.process({}, [sample])
    (kept,) = collector.results
    assert kept['img_id'] == 5 and kept['path'] == 'a.jpg' and kept['masks'] is None
    assert kept['scores'].tolist() == scores.flip(0)[:100].tolist()
    assert kept['boxes'].tolist() == boxes.flip(0)[:100].tolist()


def test_label_maps_are_counted_whole_and_kept_small() -> None:
    collector = SegmentationCollector(IoUMetric(iou_metrics=['mIoU'], ignore_index=9))
    collector.dataset_meta = dict(classes=('a', 'b'))
    truth = torch.zeros(1, 1280, 400, dtype=torch.uint8)
    truth[:, :10] = 9
    found = torch.ones(1, 1280, 400, dtype=torch.long)
    collector.process({}, [dict(pred_sem_seg=dict(data=found), gt_sem_seg=dict(data=truth))])
    (kept,) = collector.results
    assert kept['matrix'].to_dense().tolist() == [[0, 1270 * 400, 0], [0, 0, 0]]
    small = cv2.imdecode(np.frombuffer(kept['truth'], np.uint8), cv2.IMREAD_UNCHANGED)
    assert small.shape == (640, 200)
    assert (small[:5] == 9).all() and (small[5:] == 0).all()


def test_panoptic_counts_are_shared_once() -> None:
    source = SimpleNamespace(results=['a'], collect_device='cpu')
    collector = PanopticCollector(cast(Any, source))
    collector.process({}, [{}])
    source.results += ['b', 'c']
    collector.process({}, [{}, {}])
    assert collector.results == ['a', 'b', 'c']


def test_collectors_return_no_metrics() -> None:
    collector = DetectionCollector(CocoMetric(metric='bbox'))
    assert collector.compute_metrics([1, 2]) == {}
    assert collector.gathered == [1, 2]
