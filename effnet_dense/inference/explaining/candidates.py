"""The candidates of a detector, with gradients: what its detections are chosen from.

Shapes: P priors of all levels or proposals of the first stage, C classes; boxes are x1, y1, x2, y2
in pixels of the network's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.dense_heads import RTMDetInsHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.coders import DistancePointBBoxCoder
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from torch import Tensor
from torchvision.ops import box_iou

from effnet_dense.inference.explaining.log_odds import log_odds

OVERLAP = 0.5
"""IoU from which a candidate is of the same object."""


class Candidates(NamedTuple):
    """Candidates of one image.

    Attributes:
        boxes: (P, C, 4), or (P, 1, 4) where all classes share a box; without gradients.
        log_odds: (P, C), of each class.
    """

    boxes: Tensor
    log_odds: Tensor

    def score(self, box: Tensor, label: int) -> Tensor:
        """Return a detection's log-odds (): the mean of the candidates that overlap it.

        Without the candidate that it came from, one of its neighbours would be detected: a map of
        them all shows what the object would be lost without.

        Args:
            box: (4,) of the detection.
            label: Its class.
        """
        own = self.boxes[:, label if self.boxes.shape[1] > 1 else 0]
        overlaps = box_iou(own, box[None])[:, 0]
        kept = overlaps >= min(OVERLAP, float(overlaps.max()))
        return self.log_odds[kept, label].mean()


def has_candidates(model: Any) -> bool:
    """Whether a model's detections come from one dense head, or from one second stage."""
    if isinstance(model, TwoStageDetector):
        head = model.roi_head
        single = type(head) is StandardRoIHead and hasattr(head.bbox_head, 'bbox_coder')
        return single and not hasattr(model, 'panoptic_fusion_head')
    head = getattr(model, 'bbox_head', None)
    dense = hasattr(head, 'prior_generator') and hasattr(head, 'bbox_coder')
    return isinstance(model, SingleStageDetector) and dense and _decodes_by_coder(head)


def _decodes_by_coder(head: Any) -> bool:
    """Whether a dense head's outputs are logits, and boxes for its coder: GFL's and TOOD's are not.

    Heads whose outputs are others decode them in a method of their own.
    """
    method = getattr(type(head), '_predict_by_feat_single', None)
    known = (BaseDenseHead._predict_by_feat_single, RTMDetInsHead._predict_by_feat_single)
    return method in known


def candidates(model: Any, levels: Sequence[Tensor], samples: Sequence[Any]) -> Candidates:
    """Return an image's candidates.

    Args:
        model: A model that `has_candidates`.
        levels: The neck's features of one image, (1, D, h, w) each.
        samples: The image's data sample.
    """
    if isinstance(model, TwoStageDetector):
        return _second_stage(model, levels, samples)
    return _dense(model.bbox_head, levels)


def _dense(head: Any, levels: Sequence[Tensor]) -> Candidates:
    logits, deltas = head(tuple(levels))[:2]
    sizes = [level.shape[-2:] for level in logits]
    priors = torch.cat(
        [
            get_box_tensor(p)
            for p in head.prior_generator.grid_priors(sizes, device=logits[0].device)
        ]
    )
    if isinstance(head.bbox_coder, DistancePointBBoxCoder):
        priors = priors[:, :2]
    boxes = get_box_tensor(head.bbox_coder.decode(priors, _joined(deltas, 4).detach()))
    scores = _joined(logits, head.cls_out_channels)
    return Candidates(boxes[:, None], log_odds(scores, head.use_sigmoid_cls)[:, : head.num_classes])


def _joined(levels: Sequence[Tensor], values: int) -> Tensor:
    """Join levels (1, A · values, h, w) in the order of priors: (P, values)."""
    return torch.cat([level[0].permute(1, 2, 0).reshape(-1, values) for level in levels])


def _second_stage(model: Any, levels: Sequence[Tensor], samples: Sequence[Any]) -> Candidates:
    stage, head = model.roi_head, model.roi_head.bbox_head
    with torch.no_grad():
        (proposals,) = model.rpn_head.predict(tuple(levels), list(samples), rescale=False)
    regions = bbox2roi([proposals.bboxes])
    found = stage._bbox_forward(tuple(levels), regions)
    boxes = 1 if head.reg_class_agnostic else head.num_classes
    deltas = found['bbox_pred'].detach().reshape(-1, 4)
    decoded = head.bbox_coder.decode(regions[:, 1:].repeat_interleave(boxes, 0), deltas)
    scores = log_odds(found['cls_score'], head.loss_cls.use_sigmoid)[:, : head.num_classes]
    return Candidates(get_box_tensor(decoded).reshape(-1, boxes, 4), scores)
