"""Masks and panoptic maps from the outputs of files, beside mmdet's heads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData

from effnet_dense.inference.exported_masks import add_masks, merge

WITHIN_BOX = dict(within='box', threshold=0.5)
WITHIN_IMAGE = dict(within='image', stride=8, threshold=0.5)
BOXES = torch.tensor([[3.0, 5, 40, 60], [10, 10, 12, 11]])


def sample(boxes: torch.Tensor = BOXES, **meta: Any) -> Any:
    info = dict(ori_shape=(70, 50), img_shape=(70, 50), scale_factor=(1.0, 1.0), **meta)
    labels = torch.arange(len(boxes))
    found = InstanceData(bboxes=boxes, labels=labels, scores=0.9 - 0.1 * labels)
    return SimpleNamespace(metainfo=info, pred_instances=found)


def test_masks_within_boxes() -> None:
    values = np.random.default_rng(0).random((5, 28, 28), np.float32)
    given = sample()
    add_masks(values, WITHIN_BOX, given)
    logits = torch.from_numpy(values[:2]).logit()[:, None]
    wanted = FCNMaskHead._predict_by_feat_single(
        SimpleNamespace(class_agnostic=True),
        *(logits, BOXES.clone(), given.pred_instances.labels, given.metainfo),
        ConfigDict(mask_thr_binary=0.5),
        rescale=True,
    )
    assert torch.equal(given.pred_instances.masks, wanted)
    assert 0 < wanted.sum() < wanted.numel()


def test_masks_of_the_image() -> None:
    values = np.full((3, 12, 8), -1, np.float32)
    values[0, 4:, :] = 1
    given = sample()
    add_masks(values, WITHIN_IMAGE, given)
    masks = given.pred_instances.masks
    assert masks.shape == (2, 70, 50) and masks.dtype == torch.bool
    assert masks[0, 36:].all() and not masks[0, :28].any() and not masks[1].any()


@pytest.mark.parametrize('reading', [WITHIN_BOX, WITHIN_IMAGE])
def test_no_detection(reading: dict[str, Any]) -> None:
    given = sample(BOXES[:0])
    add_masks(np.zeros((3, 12, 8), np.float32), reading, given)
    assert given.pred_instances.masks.shape == (0, 70, 50)


def test_a_panoptic_map() -> None:
    init_default_scope('mmdet')
    options = ConfigDict(mask_overlap=0.5, stuff_area_limit=10)
    head = MODELS.build(
        dict(
            type='HeuristicFusionHead',
            num_things_classes=2,
            num_stuff_classes=2,
            test_cfg=options,
        )
    )
    given = sample()
    given.pred_instances.masks = torch.zeros(2, 70, 50, dtype=torch.bool)
    given.pred_instances.masks[0, :10] = True
    logits = torch.zeros(3, 24, 16)
    logits[1, :, :8] = 1
    merge(head, logits, (96, 64), given)
    found = given.pred_panoptic_seg.sem_seg[0]
    assert found.shape == (70, 50) and not hasattr(given, 'pred_instances')
    assert set(found[:10].unique().tolist()) == {1000}
    assert found[40, 5] == 3 and found[40, 45] == 2
