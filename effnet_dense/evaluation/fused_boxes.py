"""Fuse the boxes found in several views of an image, in place of suppressing all but the best."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.models.utils.wbf import weighted_boxes_fusion
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from effnet_dense.registry import MODELS


@MODELS.register_module()
class WBFTTAModel(DetTTAModel):
    """mmdet's DetTTAModel with weighted boxes fusion (arXiv 1910.13302), for `--tta-merge wbf`.

    A fused box is the mean of the views' boxes of a class that overlap, weighted by their scores.
    Its score is their mean, times the share of views that found it.

    Args:
        tta_cfg: `iou_threshold`, above which boxes are fused (0.55 in the paper), and
            `max_per_img`, the boxes of an image that remain.
        **kwargs: Of mmengine's BaseTTAModel, such as `module`.
    """

    def __init__(self, tta_cfg: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__({'iou_threshold': 0.55, 'max_per_img': 100, **(tta_cfg or {})}, **kwargs)

    def _merge_single_sample(self, data_samples: list[DetDataSample]) -> DetDataSample:
        """Fuse the views' boxes (K, 4) of one image; the first view's sample is returned."""
        views = [_boxes_with_area(sample) for sample in data_samples]
        upright = [
            self.merge_aug_bboxes([view.bboxes], None, [sample.metainfo])
            for view, sample in zip(views, data_samples, strict=True)
        ]
        boxes, scores, labels = weighted_boxes_fusion(
            [each.cpu().numpy() for each in upright],
            [view.scores.cpu().numpy() for view in views],
            [view.labels.cpu().numpy() for view in views],
            iou_thr=self.tta_cfg['iou_threshold'],
        )
        device, kept = views[0].bboxes.device, slice(self.tta_cfg['max_per_img'])
        data_samples[0].pred_instances = InstanceData(
            bboxes=boxes.reshape(-1, 4)[kept].to(device),
            scores=scores[kept].to(device),
            labels=labels[kept].to(device, torch.long),
        )
        return data_samples[0]


def _boxes_with_area(sample: DetDataSample) -> InstanceData:
    """Leave out boxes without area, of which the fusion would warn one by one."""
    found = sample.pred_instances
    sides = found.bboxes[:, 2:] - found.bboxes[:, :2]
    return found[(sides > 0).all(1)]
