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

from effnet_dense.report.attach import attach
from effnet_dense.report.hook import ReportHook
from effnet_dense.report.records import DetectionRecord, SegmentationRecord


def test_records_stand_beside_their_metrics_once() -> None:
    coco, iou = CocoMetric(metric='bbox'), IoUMetric(iou_metrics=['mIoU'])
    others = [CocoMetric(metric='proposal'), CocoMetric(format_only=True, outfile_prefix='x')]
    evaluator = Evaluator([coco, iou, *others])
    evaluator.dataset_meta = dict(classes=('a', 'b'))
    records = attach(evaluator)
    assert [(type(each), each.source) for each in records] == [
        (DetectionRecord, coco),
        (SegmentationRecord, iou),
    ]
    assert all(each.dataset_meta == dict(classes=('a', 'b')) for each in records)
    assert attach(evaluator) == records
    assert len(evaluator.metrics) == 6


def test_the_best_hundred_detections() -> None:
    metric = CocoMetric(metric='bbox')
    scores = torch.linspace(0, 1, 120)
    boxes = torch.arange(480.0).view(120, 4)
    found = dict(bboxes=boxes, scores=scores, labels=torch.zeros(120, dtype=torch.long))
    sample = dict(pred_instances=found, img_id=5, ori_shape=(9, 9), img_path='a.jpg', instances=[])
    record = DetectionRecord(metric)
    metric.process({}, [sample])
    record.process({}, [sample])
    (kept,) = record.results
    assert kept['img_id'] == 5 and kept['path'] == 'a.jpg' and kept['masks'] is None
    assert kept['scores'].tolist() == scores.flip(0)[:100].tolist()
    assert kept['boxes'].tolist() == boxes.flip(0)[:100].tolist()


def test_label_maps_are_counted_whole_and_kept_small() -> None:
    record = SegmentationRecord(IoUMetric(iou_metrics=['mIoU'], ignore_index=9))
    record.dataset_meta = dict(classes=('a', 'b'))
    truth = torch.zeros(1, 1280, 400, dtype=torch.uint8)
    truth[:, :10] = 9
    found = torch.ones(1, 1280, 400, dtype=torch.long)
    record.process({}, [dict(pred_sem_seg=dict(data=found), gt_sem_seg=dict(data=truth))])
    (kept,) = record.results
    assert kept['matrix'].to_dense().tolist() == [[0, 1270 * 400], [0, 0]]
    small = cv2.imdecode(np.frombuffer(kept['truth'], np.uint8), cv2.IMREAD_UNCHANGED)
    assert small.shape == (640, 200)
    assert (small[:5] == 9).all() and (small[5:] == 0).all()


def test_a_report_that_fails_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger('report-test')
    runner: Any = SimpleNamespace(work_dir=str(tmp_path), logger=logger, cfg=None)
    ReportHook()._write(runner, 'Test', [], {})
    assert 'the report could not be written' in caplog.text
