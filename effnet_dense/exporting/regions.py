"""The second stage of a detector with a fixed number of regions per image.

Shapes: N images, M proposals or boxes of an image, C classes, K candidates of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from mmcv.ops import RoIAlign
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor, nn

from effnet_dense.exporting.decoding import check_coder, clip, decode, take

MOST_CANDIDATES = 5000
"""Pairs of proposal and class, the best first, among which overlaps are suppressed."""


class RegionPool(nn.Module):
    """RoIAlign of each region on the level of its size, without shapes that depend on values.

    A level sees the regions of other levels as empty ones, which cost nothing.

    Args:
        extractor: mmdet's `SingleRoIExtractor` of `RoIAlign`.
    """

    def __init__(self, extractor: Any) -> None:
        super().__init__()
        self.finest = float(extractor.finest_scale)
        self.layers = [
            (
                float(layer.spatial_scale),
                *layer.output_size,
                int(layer.sampling_ratio),
                bool(layer.aligned),
            )
            for layer in extractor.roi_layers
        ]

    def forward(self, boxes: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Boxes (N, M, 4), features of each level (N, D, h, w) → (N · M, D, height, width)."""
        corners = boxes.reshape(-1, 4)
        number = torch.arange(boxes.shape[0], dtype=boxes.dtype, device=boxes.device)
        image = number[:, None].expand(-1, boxes.shape[1]).reshape(-1, 1)
        level = self._level(corners)
        pooled = []
        for index, (values, layer) in enumerate(zip(levels, self.layers, strict=False)):
            here = level == index
            regions = torch.cat([image, torch.where(here, corners, 0.0)], 1)
            found = torch.ops.torchvision.roi_align(values, regions, *layer)
            pooled.append(torch.where(here[..., None, None], found, 0.0))
        return reduce(torch.add, pooled)

    def _level(self, corners: Tensor) -> Tensor:
        """Return the number of each region's level, (N · M, 1)."""
        sides = corners[:, 2:] - corners[:, :2]
        scale = (sides[:, :1] * sides[:, 1:]).sqrt() / self.finest + 1e-6
        level = torch.zeros_like(scale)
        for index in range(1, len(self.layers)):
            level = level + (scale >= 2.0**index).to(scale.dtype)
        return level


class RegionBoxes(nn.Module):
    """Class scores and boxes of proposals.

    Args:
        roi_head: mmdet's; see `check_roi_head`.
    """

    def __init__(self, roi_head: Any) -> None:
        super().__init__()
        self.pool = RegionPool(roi_head.bbox_roi_extractor)
        self.head = roi_head.bbox_head
        self.classes = int(self.head.num_classes)
        self.agnostic = bool(self.head.reg_class_agnostic)
        self.threshold = float(roi_head.test_cfg.score_thr)

    def forward(
        self, proposals: Tensor, used: Tensor, sizes: Tensor, levels: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decode the best pairs of a proposal and a class.

        Args:
            proposals: (N, M, 4).
            used: (N, M), -1 where there is no proposal.
            sizes: (N, 2), height and width of each image without padding.
            levels: Features, (N, D, h, w) each.

        Returns:
            As `Decoder`: boxes (N, K, 4), scores (N, K), labels (N, K).
        """
        images, count = proposals.shape[:2]
        logits, deltas = self.head(self.pool(proposals, levels))
        scores = logits.softmax(-1)[:, :-1].reshape(images, count, self.classes)
        scores = torch.where(used[..., None] >= 0, scores, 0.0).flatten(1)
        best, index = scores.topk(min(MOST_CANDIDATES, count * self.classes))
        proposal = torch.div(index, self.classes, rounding_mode='floor')
        label = index - proposal * self.classes
        boxes_of_each = 1 if self.agnostic else self.classes
        deltas = deltas.reshape(images, count * boxes_of_each, 4)
        chosen = take(deltas, proposal if self.agnostic else index)
        boxes = decode(self.head.bbox_coder, take(proposals, proposal), chosen)
        boxes = torch.stack(clip(boxes, sizes), -1)
        return boxes, torch.where(best > self.threshold, best, 0.0), label


class RegionMasks(nn.Module):
    """Masks within boxes.

    Args:
        roi_head: mmdet's, with a mask head; see `check_roi_head`.
    """

    def __init__(self, roi_head: Any) -> None:
        super().__init__()
        self.pool = RegionPool(roi_head.mask_roi_extractor)
        self.head = roi_head.mask_head

    def forward(self, boxes: Tensor, labels: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Boxes (N, M, 4), labels (N, M), features → probabilities (N, M, height, width)."""
        logits = self.head(self.pool(boxes, levels))
        if not self.head.class_agnostic:
            index = labels.clamp(min=0).flatten()[:, None, None, None]
            logits = logits.gather(1, index.expand(-1, 1, *logits.shape[2:]))
        return logits[:, 0].sigmoid().reshape(*boxes.shape[:2], *logits.shape[2:])


def check_roi_head(head: Any) -> None:
    """Check that a second stage is one that can be exported.

    Raises:
        ValueError: It is not; the message says what is in its way.
    """
    if type(head) is not StandardRoIHead or head.with_shared_head:
        shared = ' with a shared head' if type(head) is StandardRoIHead else ''
        raise ValueError(f'expected a StandardRoIHead, got {type(head).__name__}{shared}')
    extractors = [head.bbox_roi_extractor]
    if head.with_mask:
        extractors.append(head.mask_roi_extractor)
        if type(head.mask_head).forward is not FCNMaskHead.forward:
            raise ValueError(f'expected a FCNMaskHead, got {type(head.mask_head).__name__}')
    for extractor in extractors:
        layers = extractor.roi_layers
        if type(extractor) is not SingleRoIExtractor or not all(
            isinstance(layer, RoIAlign) and layer.pool_mode == 'avg' for layer in layers
        ):
            raise ValueError(
                f'expected a SingleRoIExtractor of RoIAlign, got {type(extractor).__name__} of '
                f'{type(layers[0]).__name__}'
            )
    box_head = head.bbox_head
    for step in ('predict_by_feat', '_predict_by_feat_single'):
        if getattr(type(box_head), step, None) is not getattr(BBoxHead, step):
            raise ValueError(
                f'{type(box_head).__name__} has its own {step}, which cannot be exported'
            )
    if not (box_head.with_cls and box_head.with_reg) or box_head.custom_cls_channels:
        raise ValueError(f'{type(box_head).__name__} has no softmax of classes with boxes')
    check_coder(box_head.bbox_coder)
