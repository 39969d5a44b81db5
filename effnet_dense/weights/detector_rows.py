"""Reorder and select rows of EfficientDet's prediction layers, whose rows differ in effdet.

Rows are a layer's output channels, anchor by anchor: A·C classes, A·4 box offsets (A anchors).
"""

from __future__ import annotations

import torch
from torch import Tensor

BOX_KEYS = ('bbox_head.reg_predict.pointwise.weight', 'bbox_head.reg_predict.pointwise.bias')
CLASS_KEYS = ('bbox_head.cls_predict.pointwise.weight', 'bbox_head.cls_predict.pointwise.bias')

# COCO's ids of its 80 classes run from 1 to 90; the unused ones are in no annotation of
# `instances_train2017.json`. google/automl has a row for each of the 90.
COCO_IDS = 90
COCO_UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
COCO_USED = tuple(i for i in range(1, COCO_IDS + 1) if i not in COCO_UNUSED)


def swap_xy(rows: Tensor) -> Tensor:
    """Reorder (A·4, …) from (y, x, h, w) to (x, y, w, h), or back."""
    return rows.unflatten(0, (-1, 4))[:, [1, 0, 3, 2]].flatten(0, 1)


def used_classes(rows: Tensor) -> Tensor:
    """Select (A·80, …), mmdet's class order, from (A·90, …), a row for each COCO id."""
    used = torch.tensor(COCO_USED, device=rows.device) - 1
    return rows.unflatten(0, (-1, COCO_IDS))[:, used].flatten(0, 1)
