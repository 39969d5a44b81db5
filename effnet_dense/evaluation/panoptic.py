"""Compute panoptic quality without changing the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.evaluation import CocoPanopticMetric as MMDetCocoPanopticMetric

from effnet_dense.registry import METRICS


@METRICS.register_module()
class CocoPanopticMetric(MMDetCocoPanopticMetric):
    """mmdet's metric, computed on copies of the predicted maps.

    mmdet's own writes COCO's id of "no segment", 0, into predicted maps on the CPU. In mmdet's
    numbering 0 is a person: images drawn afterwards would show one.
    """

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Count the matches of samples with `pred_panoptic_seg`, a map `sem_seg` (1, H, W)."""
        super().process(data_batch, [_with_copied_map(sample) for sample in data_samples])


def _with_copied_map(sample: dict[str, Any]) -> dict[str, Any]:
    found = sample['pred_panoptic_seg']
    return {**sample, 'pred_panoptic_seg': {**found, 'sem_seg': found['sem_seg'].clone()}}
