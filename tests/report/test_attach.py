"""Which metrics get a collector."""

from __future__ import annotations

from pathlib import Path

from mmdet.evaluation import CocoMetric, CocoPanopticMetric
from mmengine.evaluator import Evaluator
from mmseg.evaluation import IoUMetric

from effnet_dense.report.attach import attach_collectors
from effnet_dense.report.collectors import (
    DetectionCollector,
    PanopticCollector,
    SegmentationCollector,
)


def test_metrics_get_their_collector_once() -> None:
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


def test_panoptic_metrics_that_only_write_files_have_no_matches(tmp_path: Path) -> None:
    counting = CocoPanopticMetric()
    writing = CocoPanopticMetric(format_only=True, outfile_prefix=str(tmp_path / 'x'))
    collectors = attach_collectors(Evaluator([counting, writing]))
    assert [(type(each), each.source) for each in collectors] == [(PanopticCollector, counting)]


def test_metrics_of_other_kinds_have_none() -> None:
    class OtherCoco(CocoMetric):
        """LVIS's API is another; its own class needs a package that is not installed."""

    lvis = OtherCoco(metric='bbox')
    lvis._coco_api = object()
    evaluator = Evaluator([lvis, IoUMetric(format_only=True, output_dir='x')])
    assert attach_collectors(evaluator) == []
    assert len(evaluator.metrics) == 2
