"""Add collectors to an evaluator, next to its metrics."""

from __future__ import annotations

from mmdet.evaluation import CocoMetric, CocoPanopticMetric
from mmengine.evaluator import BaseMetric, Evaluator
from mmseg.evaluation import IoUMetric
from pycocotools.coco import COCO

from effnet_dense.report.collectors import (
    Collector,
    DetectionCollector,
    PanopticCollector,
    SegmentationCollector,
)


def attach_collectors(evaluator: Evaluator) -> list[Collector]:
    """Add the collectors that fit an evaluator's metrics, once.

    Returns:
        The evaluator's collectors.
    """
    collectors = [metric for metric in evaluator.metrics if isinstance(metric, Collector)]
    if not collectors:
        made = [_collector(metric) for metric in evaluator.metrics]
        collectors = [collector for collector in made if collector is not None]
        for collector in collectors:
            collector.dataset_meta = evaluator.dataset_meta
        evaluator.metrics.extend(collectors)
    return collectors


def _collector(metric: BaseMetric) -> Collector | None:
    """Make the collector that fits a metric, if there is one."""
    if isinstance(metric, CocoMetric) and _is_coco(metric):
        return DetectionCollector(metric)
    if isinstance(metric, IoUMetric) and not metric.format_only:
        return SegmentationCollector(metric)
    # With `outfile_prefix` its results are predictions, not matches.
    if isinstance(metric, CocoPanopticMetric) and metric.tmp_dir is not None:
        return PanopticCollector(metric)
    return None


def _is_coco(metric: CocoMetric) -> bool:
    """Exclude LVIS, which is evaluated differently, tests without labels, and proposals."""
    api = metric._coco_api
    boxes = bool({'bbox', 'segm'} & set(metric.metrics))
    return boxes and not metric.format_only and (api is None or isinstance(api, COCO))
