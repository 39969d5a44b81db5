"""Collect predictions and ground truth of each image while a model is evaluated.

Collectors are metrics, so that mmengine gathers the results of all processes, but return no
values: computing those is left to the config's own metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.evaluator import BaseMetric
from torch import Tensor

from effnet_dense.evaluation.confusion import confusion_matrix
from effnet_dense.evaluation.panoptic import finished

MAX_DETECTIONS = 100
"""An image's best detections, as COCO counts them."""

MAP_SIDE = 640
"""Label maps are kept with at most this many pixels per side."""


class Collector(BaseMetric):
    """Collects results next to one metric of the evaluator.

    Args:
        source: The metric; it must process each batch first.

    Attributes:
        gathered: After the evaluation, the results of all processes in the dataset's order.
    """

    def __init__(self, source: BaseMetric) -> None:
        super().__init__(collect_device=source.collect_device, prefix='report')
        self.source = source
        self.gathered: list[Any] = []

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Keep the results of all processes; there are no metrics."""
        self.gathered = results
        return {}


class DetectionCollector(Collector):
    """Collects each image's best detections, with run-length encoded masks.

    mmdet's CocoMetric has encoded them already; its results are shared.
    """

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Collect the detections of a batch that `source` has just processed."""
        last = self.source.results[-len(data_samples) :]
        for sample, (_, result) in zip(data_samples, last, strict=True):
            best = np.argsort(-result['scores'], kind='stable')[:MAX_DETECTIONS]
            masks = result.get('masks')
            self.results.append(
                dict(
                    img_id=result['img_id'],
                    path=str(sample.get('img_path', '')),
                    boxes=result['bboxes'][best].astype(np.float32).reshape(-1, 4),
                    scores=result['scores'][best].astype(np.float32),
                    mask_scores=result.get('mask_scores', result['scores'])[best],
                    labels=result['labels'][best].astype(np.int32),
                    masks=None if masks is None else [masks[index] for index in best],
                )
            )


class SegmentationCollector(Collector):
    """Collects each image's confusion matrix and its label maps, scaled down and compressed."""

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Count a batch's pixels and keep its label maps."""
        classes = len((self.dataset_meta or {}).get('classes', ()))
        for sample in data_samples:
            found = sample['pred_sem_seg']['data'].squeeze()
            truth = sample['gt_sem_seg']['data'].squeeze().to(found.device)
            matrix = confusion_matrix(found, truth, classes, self.source.ignore_index)
            self.results.append(
                dict(
                    path=str(sample.get('img_path', '')),
                    # An image has only a few dozen of 150² pairs.
                    matrix=matrix.to_sparse().cpu(),
                    truth=_compressed(truth),
                    found=_compressed(found),
                )
            )


class PanopticCollector(Collector):
    """Collects the matches of segments that mmdet's CocoPanopticMetric counts."""

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Collect the counts of a batch that `source` has just processed."""
        self.results += self.source.results[len(self.results) :]

    def evaluate(self, size: int) -> dict[str, float]:
        """Gather the counts that the source's threads have finished."""
        self.results: list[Any] = finished(self.results)
        return super().evaluate(size)


def _compressed(label_map: Tensor) -> bytes:
    """Encode a label map (H, W) as PNG with at most `MAP_SIDE` pixels per side."""
    values = label_map.cpu().numpy()
    values = values.astype(np.uint8 if values.max(initial=0) <= 255 else np.uint16)
    scale = MAP_SIDE / max(values.shape)
    if scale < 1:
        size = (round(values.shape[1] * scale), round(values.shape[0] * scale))
        values = cv2.resize(values, size, interpolation=cv2.INTER_NEAREST)
    return bytes(cv2.imencode('.png', values)[1])
