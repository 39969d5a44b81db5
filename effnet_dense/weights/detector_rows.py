"""The rows of EfficientDet's prediction layers: the same numbers in another order.

A anchors, C classes; the rows of a layer are its output channels, anchor by anchor.
"""

from __future__ import annotations

import torch
from torch import Tensor

BOX_KEYS = ('bbox_head.reg_predict.pointwise.weight', 'bbox_head.reg_predict.pointwise.bias')
CLASS_KEYS = ('bbox_head.cls_predict.pointwise.weight', 'bbox_head.cls_predict.pointwise.bias')

# COCO numbers its 80 classes from 1 to 90: these numbers are in no annotation
# (`instances_train2017.json`). google/automl has a row for each of the 90.
COCO_IDS = 90
COCO_UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
COCO_USED = tuple(i for i in range(1, COCO_IDS + 1) if i not in COCO_UNUSED)


def swap_xy(rows: Tensor) -> Tensor:
    """(A·4, …) of (y, x, h, w) → (x, y, w, h), and the other way round."""
    return rows.unflatten(0, (-1, 4))[:, [1, 0, 3, 2]].flatten(0, 1)


def used_classes(rows: Tensor) -> Tensor:
    """(A·90, …), a row for each number that COCO might give → (A·80, …), as mmdet counts them."""
    used = torch.tensor(COCO_USED, device=rows.device) - 1
    return rows.unflatten(0, (-1, COCO_IDS))[:, used].flatten(0, 1)
