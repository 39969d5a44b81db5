"""Assignment of anchors to ground-truth boxes."""

from __future__ import annotations

from functools import wraps
from typing import Any

import torch
from mmdet.models.task_modules import BboxOverlaps2D
from mmdet.models.task_modules.assigners import AssignResult, BaseAssigner
from mmdet.models.task_modules.assigners import MaxIoUAssigner as MMDetMaxIoUAssigner
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import box_iou

from effnet_dense.models.overlaps import pairwise_iou
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


@TASK_UTILS.register_module()
class MaxIoUAssigner(MMDetMaxIoUAssigner):
    """mmdet's assigner with the same results, which does not wait for a GPU.

    mmdet's waits twice for each box. With boxes to ignore (`ignore_iof_thr`), a limit for GPUs
    (`gpu_assign_thr`), other overlaps or permuted boxes it runs as mmdet's does. A `neg_iou_thr`
    that is an integer or a list, with which mmdet's finds no negatives, counts as a float or tuple.

    Raises:
        ValueError: `neg_iou_thr` has not one or two values.
    """

    # The signature is that by which configs are checked.
    @wraps(MMDetMaxIoUAssigner.__init__)  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        thresholds = self.neg_iou_thr
        if isinstance(thresholds, tuple | list) and len(thresholds) != 2:
            raise ValueError(
                'neg_iou_thr must be a number, or the smallest and largest IoU of negatives, got '
                f'{thresholds!r}'
            )

    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs: Any,
    ) -> AssignResult:
        """Match the priors `pred_instances.priors` (A, 4) to `gt_instances.bboxes` (K, 4).

        Returns:
            `gt_inds` (A,): 0 for a negative, k + 1 for box k, −1 for neither; `max_overlaps` and
            `labels` (A,).
        """
        priors, boxes = pred_instances.priors, gt_instances.bboxes
        plain = isinstance(priors, Tensor) and isinstance(boxes, Tensor)
        if not plain or not len(priors) or not self._is_plain(gt_instances_ignore):
            return super().assign(pred_instances, gt_instances, gt_instances_ignore, **kwargs)
        if not len(boxes):
            found, overlaps = priors.new_zeros(len(priors), dtype=torch.long), priors.new_zeros(1)
            return AssignResult(0, found, overlaps.expand(len(priors)), found - 1)
        found, overlaps = self._match(pairwise_iou(boxes, priors))
        labels = gt_instances.labels[found.clamp(min=1) - 1]
        return AssignResult(len(boxes), found, overlaps, torch.where(found > 0, labels, -1))

    def _is_plain(self, ignored: InstanceData | None) -> bool:
        ignores = self.ignore_iof_thr > 0 and ignored is not None and len(ignored) > 0
        special = self.gpu_assign_thr > 0 or self.perm_repeat_gt_cfg is not None
        calculator = self.iou_calculator
        exact = type(calculator) is BboxOverlaps2D and calculator.dtype is None
        return not ignores and not special and exact

    def _match(self, iou: Tensor) -> tuple[Tensor, Tensor]:
        """Return matches (A,) and the largest overlaps (A,) from overlaps (K, A)."""
        overlaps, nearest = iou.max(0)
        low, high = self.neg_iou_thr, 0.0
        if isinstance(low, tuple | list):
            high, low = low
        found = torch.where((overlaps >= high) & (overlaps < low), 0, -1)
        found = torch.where(overlaps >= self.pos_iou_thr, nearest + 1, found)
        if not self.match_low_quality:
            return found, overlaps
        best, place = iou.max(1)
        if self.gt_max_assign_all:
            best_of = iou == best[:, None]
        else:
            best_of = torch.arange(iou.shape[1], device=iou.device) == place[:, None]
        # Of several boxes the last one has an anchor that is best for all.
        numbers = torch.arange(1, len(iou) + 1, device=iou.device, dtype=torch.int32)[:, None]
        forced = ((best_of & (best >= self.min_pos_iou)[:, None]) * numbers).amax(0)
        return torch.where(forced > 0, forced.long(), found), overlaps
