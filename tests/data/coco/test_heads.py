"""The number of classes in heads of mmdet's models."""

from __future__ import annotations

import pytest

from effnet_dense.data import set_num_classes
from effnet_dense.data.coco import has_stuff
from tests.helpers.class_counts import num_classes


def test_which_heads_count_classes() -> None:
    model = {
        'rpn_head': {'num_classes': 1},
        'semantic_head': {'num_classes': 183},
        'roi_head': {
            'bbox_head': {'type': 'Shared2FCBBoxHead', 'loss_cls': {'num_classes': 1203}},
            'mask_head': [{'num_classes': 80}, {}],
            'mask_iou_head': {'num_classes': 80},
            'semantic_head': {'num_classes': 183},
            'grid_head': {},
        },
    }
    assert set_num_classes(model, 5) == 4
    assert num_classes(model) == {
        'rpn_head.num_classes': 1,
        'semantic_head.num_classes': 183,
        'roi_head.bbox_head.num_classes': 5,  # mmdet's default would be 80
        'roi_head.bbox_head.loss_cls.num_classes': 5,
        'roi_head.mask_head[0].num_classes': 5,
        'roi_head.mask_head[1].num_classes': 5,
        'roi_head.mask_iou_head.num_classes': 5,
        'roi_head.semantic_head.num_classes': 183,
    }


def test_one_stage_and_wrapped_models() -> None:
    model = {'detector': {'bbox_head': [{}, {'num_classes': 80}], 'mask_head': {}}}
    assert set_num_classes(model, 2) == 2
    assert model == {
        'detector': {'bbox_head': [{'num_classes': 2}, {'num_classes': 2}], 'mask_head': {}}
    }


def test_panoptic_model_is_rejected() -> None:
    expected = "box or mask heads for --data, got a 'panoptic_head' with stuff"
    with pytest.raises(ValueError, match=expected):
        set_num_classes({'panoptic_head': {'num_things_classes': 80}}, 2)


def test_queries_without_stuff() -> None:
    """Mask2Former for instances: both heads, and the weights of the classes and "no object"."""
    weights = [1.0] * 80 + [0.1]
    model = {
        'panoptic_head': {
            'num_things_classes': 80,
            'num_stuff_classes': 0,
            'loss_cls': {'class_weight': weights},
        },
        'panoptic_fusion_head': {'num_things_classes': 80, 'num_stuff_classes': 0},
    }
    assert not has_stuff(model)
    assert set_num_classes(model, 2) == 2
    assert model['panoptic_fusion_head'] == {'num_things_classes': 2, 'num_stuff_classes': 0}
    assert model['panoptic_head']['num_things_classes'] == 2
    assert model['panoptic_head']['loss_cls']['class_weight'] == [1.0, 1.0, 0.1]


def test_stuff() -> None:
    assert has_stuff({'panoptic_fusion_head': {'num_stuff_classes': 53}})
    assert not has_stuff({'bbox_head': {}, 'panoptic_head': None})
