"""The number of classes in heads of mmdet's models."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.data import set_num_classes


def num_classes(node: Any, path: str = '') -> dict[str, int]:
    """Every num_classes in a config, by its path."""
    if isinstance(node, dict):
        items = [(f'{path}.{key}', value) for key, value in node.items()]
    elif isinstance(node, list | tuple):
        items = [(f'{path}[{i}]', value) for i, value in enumerate(node)]
    else:
        return {}
    found = {p[1:]: v for p, v in items if p.endswith('.num_classes')}
    for p, value in items:
        found |= num_classes(value, p)
    return found


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
    with pytest.raises(ValueError, match="box or mask heads for --data, got a 'panoptic_head'"):
        set_num_classes({'panoptic_head': {'num_things_classes': 80}}, 2)
