"""Ranges of scores, overlaps and counts in a config."""

from __future__ import annotations

import math
from typing import Any

import pytest

from effnet_dense.engine.checks.thresholds import check_thresholds


def config(head: str = 'RetinaHead', **test_cfg: Any) -> dict[str, Any]:
    return {'model': {'bbox_head': {'type': head}, 'test_cfg': test_cfg}}


RPN = dict(rpn=dict(nms_pre=-1, max_per_img=1000), rcnn=dict(max_per_img=-1, score_thr=0.05))


@pytest.mark.parametrize(
    'cfg',
    [
        {},
        {'model': None},
        config(score_thr=0, nms=dict(type='nms', iou_threshold=1.0), nms_pre=1, max_per_img=1),
        config(score_thr=None),
        config('mmdet.YOLACTHead', nms_pre=-1, max_per_img=-1),
        config('effnet_dense.EfficientDetHead', nms_pre=-1, max_per_img=100),
        config('CenterNetHead', max_per_img=-1),
        config(**RPN),
        config(mask_thr_binary=-1, nms=dict(max_num=-1, iou_threshold=0.5)),
        {'model': {'train_cfg': {'assigner': {'neg_iou_thr': (0.1, 0.4), 'ignore_iof_thr': -1}}}},
        {'model': {'decode_head': {'dropout_ratio': -1}}},
        {'model': {'decode_head': {'dropout_ratio': 0.99}}},
        {'val_evaluator': [{'iou_thrs': [0.5, 0.75]}]},
        {'model': {'unrelated': {'sigma': -1, 'gamma': -1}}},
    ],
)
def test_what_libraries_understand(cfg: dict[str, Any]) -> None:
    check_thresholds(cfg)


@pytest.mark.parametrize(
    ('cfg', 'words'),
    [
        (config(score_thr=2), r'model\.test_cfg\.score_thr must be .* from 0 to 1, got 2'),
        (config(score_thr=math.nan), 'got nan'),
        (config(score_thr='0.5'), "got '0.5'"),
        (config(score_thr=True), 'got True'),
        (config(nms=dict(iou_threshold=50)), r'nms\.iou_threshold .* got 50'),
        (config(nms=dict(sigma=0)), r'nms\.sigma must be a number, above 0'),
        (config(nms=dict(max_num=0)), r'at least 1, or -1 for all, got 0'),
        (config(nms_pre=-1), r'nms_pre=-1 would drop the last box'),
        (config(nms_pre=0), r'nms_pre must be a whole number, at least 1, got 0'),
        (config('EfficientDetHead', nms_pre=-2), r'at least 1, or -1 for all, got -2'),
        (config('EfficientDetHead', max_per_img=-1), r'would drop the last box'),
        (config(rpn=dict(max_per_img=-1)), r'rpn\.max_per_img=-1 would drop the last box'),
        (config(rcnn=dict(max_per_img=0)), r'or -1 for all, got 0'),
        (config(mask_thr_binary=-2), r'mask_thr_binary'),
        ({'model': {'train_cfg': {'assigner': {'neg_iou_thr': (0.1, 4)}}}}, r'neg_iou_thr.*got 4'),
        ({'model': {'bbox_head': {'loss_cls': {'loss_weight': -1}}}}, 'loss_weight .* at least 0'),
        ({'model': {'decode_head': [{'loss_decode': {'gamma': -2}}]}}, r'decode_head\.0\.loss'),
        ({'model': {'backbone': {'drop_path_rate': 1}}}, 'a probability below 1, got 1'),
        ({'custom_hooks': [{'score_thr': 30}]}, r'custom_hooks\.0\.score_thr'),
        ({'tta_model': {'tta_cfg': {'max_per_img': 0}}}, r'tta_cfg\.max_per_img'),
        ({'test_evaluator': {'iou_thrs': [0.5, 50]}}, r'test_evaluator\.iou_thrs'),
    ],
)
def test_what_finds_nothing(cfg: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_thresholds(cfg)
