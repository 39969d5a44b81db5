"""Masks and panoptic maps from the outputs of exported files, as mmdet's heads compute them.

Shapes: M rows of an image's outputs, K detections, C classes.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask
from torch import Tensor


def add_masks(values: Any, reading: dict[str, Any], sample: Any) -> None:
    """Write masks (K, H, W) into a sample that has its boxes, of the size of the image as loaded.

    Args:
        values: Array (M, h, w), of which the first K rows are used.
        reading: See `Metadata.masks`.
        sample: With `pred_instances`.
    """
    instances = sample.pred_instances
    rows = torch.from_numpy(values[: len(instances)])
    height, width = sample.metainfo['ori_shape'][:2]
    if reading['within'] == 'box':
        found = _pasted(rows, instances.bboxes, height, width, reading['threshold'])
    elif len(instances):
        found = _enlarged(rows, reading, sample)
    else:
        found = torch.zeros(0, height, width, dtype=torch.bool)
    instances.masks = found


def _pasted(rows: Tensor, boxes: Tensor, height: int, width: int, threshold: float) -> Tensor:
    found = torch.zeros(len(rows), height, width, dtype=torch.bool)
    for index, row in enumerate(rows):
        box = boxes[index : index + 1]
        values, place = _do_paste_mask(row[None, None], box, height, width, skip_empty=True)
        found[(slice(index, index + 1), *place)] = values >= threshold
    return found


def _enlarged(rows: Tensor, reading: dict[str, Any], sample: Any) -> Tensor:
    logits = F.interpolate(rows[None], scale_factor=reading['stride'], mode='bilinear')
    height, width = sample.metainfo['ori_shape'][:2]
    # mmdet's order: the factor of the width comes first.
    factors = [1 / factor for factor in sample.metainfo.get('scale_factor', (1.0, 1.0))[:2]]
    sides = [math.ceil(s * f) for s, f in zip(logits.shape[2:], factors, strict=True)]
    logits = F.interpolate(logits, sides, mode='bilinear', align_corners=False)
    return logits[0, :, :height, :width].sigmoid() > reading['threshold']


def merge(head: Any, logits: Tensor, size: tuple[int, ...], sample: Any) -> None:
    """Merge a sample's masks and semantic logits into a panoptic map.

    Args:
        head: mmdet's fusion head.
        logits: (C, h, w), of an input of `size`.
        size: (H, W).
        sample: With `pred_instances` and their masks, in place of which it gets the map.
    """
    height, width = sample.metainfo['img_shape'][:2]
    original = tuple(sample.metainfo['ori_shape'][:2])
    whole = F.interpolate(logits[None], size, mode='bilinear', align_corners=False)
    cut = whole[..., :height, :width]
    semantic = F.interpolate(cut, original, mode='bilinear', align_corners=False)[0]
    sample.pred_panoptic_seg = head.predict([sample.pred_instances], [semantic])[0]
    del sample.pred_instances
