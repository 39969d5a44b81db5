"""Records beside the metrics of an evaluator."""

from __future__ import annotations

from mmdet.evaluation import CocoMetric, CocoPanopticMetric
from mmengine.evaluator import BaseMetric, Evaluator
from mmseg.evaluation import IoUMetric
from pycocotools.coco import COCO

from effnet_dense.report.records import (
    DetectionRecord,
    PanopticRecord,
    Record,
    SegmentationRecord,
)


def attach(evaluator: Evaluator) -> list[Record]:
    """Add the records that an evaluator's metrics allow, unless it has them.

    Returns:
        Its records.
    """
    records = [metric for metric in evaluator.metrics if isinstance(metric, Record)]
    if not records:
        made = [_record(metric) for metric in evaluator.metrics]
        records = [record for record in made if record is not None]
        for record in records:
            record.dataset_meta = evaluator.dataset_meta
        evaluator.metrics.extend(records)
    return records


def _record(metric: BaseMetric) -> Record | None:
    """What can be gathered beside a metric."""
    if isinstance(metric, CocoMetric) and _is_coco(metric):
        return DetectionRecord(metric)
    if isinstance(metric, IoUMetric) and not metric.format_only:
        return SegmentationRecord(metric)
    # With `outfile_prefix` its results are predictions, not matches.
    if isinstance(metric, CocoPanopticMetric) and metric.tmp_dir is not None:
        return PanopticRecord(metric)
    return None


def _is_coco(metric: CocoMetric) -> bool:
    """Tell it from LVIS, whose evaluation is another, from tests without labels and proposals."""
    api = metric._coco_api
    boxes = bool({'bbox', 'segm'} & set(metric.metrics))
    return boxes and not metric.format_only and (api is None or isinstance(api, COCO))
