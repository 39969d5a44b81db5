"""The second stage with fixed shapes, beside mmdet's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet.structures.bbox import bbox2roi
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor

from effnet_dense.engine.config import load_config
from effnet_dense.exporting.regions import RegionBoxes, RegionMasks, RegionPool, check_roi_head

CLASSES, CHANNELS, SIDE = 3, 8, 256
STRIDES = (4, 8, 16, 32)


def roi_head(**changes: Any) -> Any:
    """Return the RoI head of a shipped Mask R-CNN, of few channels, with spread outputs."""
    model = load_config('effnet_lite0_mask_rcnn_finetune').model
    config = model.roi_head
    for part in ('bbox_roi_extractor', 'mask_roi_extractor'):
        config[part].out_channels = CHANNELS
    for part in ('bbox_head', 'mask_head'):
        config[part].update(in_channels=CHANNELS, num_classes=CLASSES)
    config.bbox_head.update(fc_out_channels=16, **changes)
    config.mask_head.conv_out_channels = CHANNELS
    init_default_scope('mmdet')
    torch.manual_seed(0)
    head: Any = MODELS.build({**config, 'test_cfg': model.test_cfg.rcnn}).eval()
    for layer, scale in ((head.bbox_head.fc_cls, 20.0), (head.bbox_head.fc_reg, 5.0)):
        torch.nn.init.normal_(layer.weight, std=scale / 10)
    return head


def levels(images: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    sides = [SIDE // stride for stride in STRIDES]
    return [torch.randn(images, CHANNELS, side, side, generator=generator) for side in sides]


def regions(count: int = 40, images: int = 2) -> Tensor:
    """Return boxes (N, M, 4) of all sizes, the last one empty as an unused row."""
    generator = torch.Generator().manual_seed(1)
    corner = torch.rand(images, count, 2, generator=generator) * 100
    sides = torch.rand(images, count, 2, generator=generator) ** 3 * 900
    boxes = torch.cat([corner, corner + sides], -1)
    boxes[:, -1] = 0
    return boxes


def test_each_region_on_its_level() -> None:
    head, features, boxes = roi_head(), levels(), regions()
    found = RegionPool(head.bbox_roi_extractor)(boxes, features)
    rois = bbox2roi(list(boxes))
    chosen = head.bbox_roi_extractor.map_roi_levels(rois, 4)
    assert set(chosen.tolist()) == {0, 1, 2, 3}
    torch.testing.assert_close(found, head.bbox_roi_extractor(features, rois))


@pytest.mark.parametrize('agnostic', [False, True])
def test_candidates_are_those_of_the_head(agnostic: bool) -> None:
    head, features, boxes = roi_head(reg_class_agnostic=agnostic), levels(), regions()
    used = torch.zeros(boxes.shape[:2], dtype=torch.int64)
    used[:, -1] = -1
    shapes = [(256, 256), (100, 201)]
    with torch.no_grad():
        found = RegionBoxes(head)(boxes, used, torch.tensor(shapes).float(), features)
        keep_all = ConfigDict(
            score_thr=0.05, nms=dict(type='nms', iou_threshold=1.0), max_per_img=-1
        )
        proposals = [InstanceData(bboxes=each[:-1]) for each in boxes]
        metas = [dict(img_shape=shape, scale_factor=(1.0, 1.0)) for shape in shapes]
        wanted = head.predict_bbox(features, metas, proposals, keep_all)
    for image, expected in enumerate(wanted):
        kept = found[1][image] > 0
        assert 20 < kept.sum() == len(expected)
        order = found[1][image][kept].argsort(descending=True, stable=True)
        torch.testing.assert_close(found[1][image][kept][order], expected.scores)
        boxes_of = found[0][image][kept][order]
        torch.testing.assert_close(boxes_of, expected.bboxes, rtol=1e-5, atol=1e-3)
        torch.testing.assert_close(found[2][image][kept][order], expected.labels)


def test_masks_are_those_of_the_head() -> None:
    head, features, boxes = roi_head(), levels(), regions()
    labels = torch.arange(boxes.shape[1]).expand(2, -1) % CLASSES
    labels = torch.where(torch.arange(boxes.shape[1]) < boxes.shape[1] - 1, labels, -1)
    with torch.no_grad():
        found = RegionMasks(head)(boxes, labels, features)
        logits = head._mask_forward(features, bbox2roi(list(boxes)))['mask_preds']
    rows = torch.arange(len(logits))
    wanted = logits[rows, labels.flatten().clamp(min=0)].sigmoid()
    torch.testing.assert_close(found.flatten(0, 1), wanted)


def test_other_heads_are_refused() -> None:
    head = roi_head()
    check_roi_head(head)
    head.bbox_roi_extractor.roi_layers[0].pool_mode = 'max'
    with pytest.raises(ValueError, match='expected a SingleRoIExtractor of RoIAlign, got'):
        check_roi_head(head)
    head = roi_head()
    head.bbox_head.bbox_coder = torch.nn.Identity()
    with pytest.raises(ValueError, match=r'expected bbox_coder to be Delta.*got Identity'):
        check_roi_head(head)
    head.bbox_head = MODELS.build(dict(type='SABLHead', num_classes=3))
    with pytest.raises(ValueError, match='SABLHead has its own _predict_by_feat_single'):
        check_roi_head(head)
    with pytest.raises(ValueError, match='expected a StandardRoIHead, got Identity'):
        check_roi_head(torch.nn.Identity())
