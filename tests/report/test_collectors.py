"""What is gathered, beside which metrics, and that a failing report stops nothing."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmengine.evaluator import Evaluator
from mmseg.evaluation import IoUMetric

from effnet_dense.report.attach import attach_collectors
from effnet_dense.report.collectors import DetectionCollector, SegmentationCollector
from effnet_dense.report.hook import ReportHook


def test_collectors_stand_beside_their_metrics_once() -> None:
    coco, iou = CocoMetric(metric='bbox'), IoUMetric(iou_metrics=['mIoU'])
    others = [CocoMetric(metric='proposal'), CocoMetric(format_only=True, outfile_prefix='x')]
    evaluator = Evaluator([coco, iou, *others])
    evaluator.dataset_meta = dict(classes=('a', 'b'))
    collectors = attach_collectors(evaluator)
    assert [(type(each), each.source) for each in collectors] == [
        (DetectionCollector, coco),
        (SegmentationCollector, iou),
    ]
    assert all(each.dataset_meta == dict(classes=('a', 'b')) for each in collectors)
    assert attach_collectors(evaluator) == collectors
    assert len(evaluator.metrics) == 6


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
    assert kept['matrix'].to_dense().tolist() == [[0, 1270 * 400], [0, 0]]
    small = cv2.imdecode(np.frombuffer(kept['truth'], np.uint8), cv2.IMREAD_UNCHANGED)
    assert small.shape == (640, 200)
    assert (small[:5] == 9).all() and (small[5:] == 0).all()


def test_a_report_that_fails_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger('report-test')
    runner: Any = SimpleNamespace(work_dir=str(tmp_path), logger=logger, cfg=None)
    ReportHook()._write(runner, 'Test', [], {})
    assert 'the report could not be written' in caplog.text
