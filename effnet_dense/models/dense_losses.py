"""Losses of heads with anchors, without a wait for a GPU.

mmdet's select anchors by masks, whose sizes the host has to know: 40 waits a step of RetinaNet.

Shapes: N images, level l of H_l × W_l cells, A anchors per cell, P anchors of an image over all
levels, C classes, K ground truths. Boxes are (x1, y1, x2, y2) in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import AnchorHead
from mmdet.models.task_modules.assigners import MaxIoUAssigner as MMDetMaxIoUAssigner
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor

from effnet_dense.models.assigner import ArgMaxAssigner, MaxIoUAssigner
from effnet_dense.models.box_deltas import box_deltas, boxes_of_deltas
from effnet_dense.utils.modules import is_exactly

BY_OVERLAPS = (ArgMaxAssigner, MaxIoUAssigner, MMDetMaxIoUAssigner)
"""Assigners for which an anchor without area is not there."""


class DenseLosses(AnchorHead):
    """Computes an anchor head's losses; a base class of heads."""

    _last_priors: tuple[Any, Tensor] | None = None

    def loss_by_feat(
        self,
        cls_scores: Sequence[Tensor],
        bbox_preds: Sequence[Tensor],
        batch_gt_instances: Sequence[InstanceData],
        batch_img_metas: Sequence[dict[str, Any]],
        batch_gt_instances_ignore: Sequence[InstanceData] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses.

        Args:
            cls_scores: Logits (N, A·C, H_l, W_l) of each level.
            bbox_preds: Deltas (N, A·4, H_l, W_l) of each level.
            batch_gt_instances: For each image `bboxes` (K, 4) and `labels` (K,).
            batch_img_metas: For each image what `_valid` needs.
            batch_gt_instances_ignore: Passed to the assigner.

        Returns:
            loss_cls and loss_bbox, scalars.
        """
        priors = self._kept_priors(cls_scores)
        logits = flatten_levels(cls_scores, self.cls_out_channels)
        deltas = flatten_levels(bbox_preds, self.bbox_coder.encode_size)
        ignored = batch_gt_instances_ignore or [None] * len(batch_gt_instances)
        targets = []
        for truth, ignore, meta in zip(batch_gt_instances, ignored, batch_img_metas, strict=True):
            matched = self._matched(priors, truth, ignore, self._valid(cls_scores, meta))
            targets.append((matched, *self._targets(matched, truth, priors)))
        stacked = [torch.stack(parts) for parts in zip(*targets, strict=True)]
        return self._losses(priors, logits, deltas, *stacked)

    def _matched(
        self,
        priors: Tensor,
        truth: InstanceData,
        ignore: InstanceData | None,
        valid: Tensor | None,
    ) -> Tensor:
        """Return (P,): k + 1 for an anchor of ground truth k, 0 for a negative, −1 to ignore it."""
        if valid is None:
            found: Tensor = self.assigner.assign(InstanceData(priors=priors), truth, ignore).gt_inds
            return found
        if type(self.assigner) in BY_OVERLAPS:  # others have no area, so that they overlap nothing
            seen = InstanceData(priors=torch.where(valid[:, None], priors, 0))
            return torch.where(valid, self.assigner.assign(seen, truth, ignore).gt_inds, -1)
        found = torch.full_like(valid, -1, dtype=torch.long)
        found[valid] = self.assigner.assign(
            InstanceData(priors=priors[valid]), truth, ignore
        ).gt_inds
        return found

    def _valid(self, levels: Sequence[Tensor], meta: dict[str, Any]) -> Tensor | None:
        """Return which anchors (P,) are not ignored; None if none is.

        Anchors in the padding around an image are negatives.
        """
        return None

    def _normaliser(self, positive: Tensor) -> Tensor:
        """Return by what the losses are divided, from which anchors are positive (N, P).

        Plus one, as in google/automl: a batch without objects has a loss, too.
        """
        return reduce_mean(positive.sum().float() + 1)

    def _targets(
        self, matched: Tensor, truth: InstanceData, priors: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return each anchor's label (P,) and box (P, 4): itself, if it is not positive.

        Nothing is selected by a mask: the host would have to wait for a GPU to count it.
        """
        positive = matched > 0
        if not len(truth.labels):
            return matched.new_full(matched.shape, self.num_classes), priors
        index = matched.clamp(min=1) - 1
        labels = torch.where(positive, truth.labels[index], self.num_classes)
        return labels, torch.where(positive[:, None], truth.bboxes[index], priors)

    def _losses(
        self,
        priors: Tensor,
        logits: Tensor,
        deltas: Tensor,
        matched: Tensor,
        labels: Tensor,
        boxes: Tensor,
    ) -> dict[str, Tensor]:
        """Compute the losses from priors (P, 4), logits (N, P, C) and deltas (N, P, 4).

        `matched` (N, P) is positive for positive anchors, whose ground truths are `labels` and
        `boxes` (N, P, 4), and negative for ignored ones.
        """
        positive = matched > 0
        normaliser = self._normaliser(positive)
        loss_cls = self.loss_cls(
            logits.flatten(0, 1),
            labels.flatten(),
            (matched >= 0).flatten().to(logits.dtype),
            avg_factor=normaliser,
        )
        anchors = priors.expand_as(boxes).flatten(0, 1)
        pred, target = deltas.flatten(0, 1).float(), boxes.flatten(0, 1)
        if self.reg_decoded_bbox:
            pred = self._decode(anchors, pred)
        else:
            target = self._encode(anchors, target)
        weight = positive.flatten()[:, None].expand_as(pred).to(pred.dtype)
        return dict(
            loss_cls=loss_cls, loss_bbox=self.loss_bbox(pred, target, weight, avg_factor=normaliser)
        )

    def _encode(self, anchors: Tensor, boxes: Tensor) -> Tensor:
        """Return the deltas (A, 4) of boxes, by `box_deltas` where the coder computes the same."""
        coder = self.bbox_coder
        if is_exactly(coder, DeltaXYWHBBoxCoder):
            return box_deltas(anchors, boxes, coder.means, coder.stds)
        return coder.encode(anchors, boxes)

    def _decode(self, anchors: Tensor, deltas: Tensor) -> Tensor:
        """Return the boxes (A, 4) of deltas, by `boxes_of_deltas` where the coder does the same."""
        coder = self.bbox_coder
        if is_exactly(coder, DeltaXYWHBBoxCoder) and not coder.add_ctr_clamp:
            return boxes_of_deltas(anchors, deltas, coder.means, coder.stds)
        return coder.decode(anchors, deltas)

    def _kept_priors(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the anchors (P, 4) of all levels, those of the last sizes without a new copy."""
        sizes = tuple(level.shape[-2:] for level in levels)
        key = levels[0].device, sizes, torch.is_inference_mode_enabled()
        if self._last_priors is None or self._last_priors[0] != key:
            self._last_priors = key, self._priors(levels)
        return self._last_priors[1]

    def _priors(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the anchors (P, 4) of all levels, always in float32."""
        sizes = [(level.shape[-2], level.shape[-1]) for level in levels]
        return torch.cat(self.prior_generator.grid_priors(sizes, device=levels[0].device))


def flatten_levels(levels: Sequence[Tensor], channels: int) -> Tensor:
    """(N, A·channels, H_l, W_l) per level → (N, P, channels), by level, row, column and anchor."""
    # Not len(level), which torch.export takes for a constant.
    flat = [level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, channels) for level in levels]
    return torch.cat(flat, 1)
