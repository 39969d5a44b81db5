"""Assignment of anchors to ground-truth boxes."""

from __future__ import annotations

import torch
from mmdet.models.task_modules.assigners import AssignResult, BaseAssigner
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import box_iou

from effnet_dense.registry import TASK_UTILS


@TASK_UTILS.register_module()
class ArgMaxAssigner(BaseAssigner):
    """Match each anchor to the box that it overlaps most, every box to at least its best anchor.

    There is no band of ignored anchors between positive and negative. mmdet's `MaxIoUAssigner`
    differs where a box forces its match: there, all tied anchors are assigned, and of two boxes
    with the same best anchor the later one wins, here the earlier one.
    Source: google/automl `object_detection/argmax_matcher.py`.

    Args:
        iou_threshold: Smallest IoU of a positive anchor.
    """

    def __init__(self, iou_threshold: float = 0.5) -> None:
        if not 0 < iou_threshold <= 1:
            raise ValueError(f'iou_threshold must be above 0, up to 1; got {iou_threshold!r}')
        self.iou_threshold = iou_threshold

    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs: object,
    ) -> AssignResult:
        """Match the anchors `pred_instances.priors` (A, 4) to `gt_instances.bboxes` (K, 4).

        Returns:
            `gt_inds` (A,): 0 for a negative, k + 1 for box k; `max_overlaps` and `labels` (A,).
        """
        priors, labels = pred_instances.priors, gt_instances.labels
        matched, overlaps = argmax_match(priors, gt_instances.bboxes, self.iou_threshold)
        assigned = labels[matched] if len(labels) else matched
        return AssignResult(
            num_gts=len(labels),
            gt_inds=matched + 1,
            max_overlaps=overlaps,
            labels=torch.where(matched >= 0, assigned, -1),
        )


def argmax_match(priors: Tensor, boxes: Tensor, iou_threshold: float) -> tuple[Tensor, Tensor]:
    """Match anchors to boxes.

    Args:
        priors: (A, 4) as (x1, y1, x2, y2) in pixels.
        boxes: (K, 4) as (x1, y1, x2, y2) in pixels.
        iou_threshold: Smallest IoU of a positive anchor.

    Returns:
        The index of the matched box (A,), −1 for none, and each anchor's largest IoU (A,).
    """
    if not len(boxes):
        return priors.new_full((len(priors),), -1, dtype=torch.long), priors.new_zeros(len(priors))
    iou = box_iou(boxes, priors)
    overlaps, matched = iou.max(0)
    matched = torch.where(overlaps < iou_threshold, -1, matched)
    # The smallest index, so that the first of two boxes keeps an anchor that is best for both.
    index = torch.arange(len(boxes), device=matched.device)
    forced = matched.new_full(matched.shape, len(boxes))
    forced.scatter_reduce_(0, iou.argmax(1), index, 'amin')
    return torch.where(forced < len(boxes), forced, matched), overlaps
