"""Which heads and losses of mmseg's models follow the number of classes."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.data import set_segmentation_classes


def test_nested_lists_and_losses() -> None:
    model: dict[str, Any] = {
        'backbone': {'num_classes': 1000},
        'decode_head': [
            {
                'num_classes': 150,
                'loss_decode': [{'num_classes': 150}, {'use_sigmoid': False}],
                'kernel_update_head': [{'num_classes': 150}, {'num_classes': 150}],
                'kernel_generate_head': {'num_classes': 150, 'ignore_index': 11},
            },
            {'num_classes': 150, 'ignore_index': 0},
        ],
        'auxiliary_head': {'num_classes': 150, 'loss_decode': {'ignore_index': 11}},
    }
    assert set_segmentation_classes(model, 5) == 7
    assert model == {
        'backbone': {'num_classes': 1000},
        'decode_head': [
            {
                'num_classes': 5,
                'loss_decode': [{'num_classes': 5}, {'use_sigmoid': False}],
                'kernel_update_head': [{'num_classes': 5}, {'num_classes': 5}],
                'kernel_generate_head': {'num_classes': 5, 'ignore_index': 255},
            },
            {'num_classes': 5, 'ignore_index': 255},
        ],
        'auxiliary_head': {'num_classes': 5, 'loss_decode': {'ignore_index': 255}},
    }


def test_edge_heads_tell_edges_from_the_rest() -> None:
    model = {'auxiliary_head': [{'type': 'STDCHead', 'num_classes': 2}, {'num_classes': 19}]}
    assert set_segmentation_classes(model, 5) == 1
    assert [head['num_classes'] for head in model['auxiliary_head']] == [2, 5]


@pytest.mark.parametrize(
    ('before', 'classes', 'after'), [(1, 2, 1), (1, 3, 3), (2, 2, 2), (19, 3, 3), (None, 3, None)]
)
def test_out_channels(before: int | None, classes: int, after: int | None) -> None:
    model = {'decode_head': {'num_classes': 2, 'out_channels': before}}
    set_segmentation_classes(model, classes)
    assert model['decode_head'] == {'num_classes': classes, 'out_channels': after}


@pytest.mark.parametrize('kind', ['MaskFormerHead', 'Mask2FormerHead'])
def test_features_of_masks_keep_their_width(kind: str) -> None:
    head = {'type': kind, 'num_classes': 150, 'out_channels': 256}
    set_segmentation_classes({'decode_head': head}, 4)
    assert head == {'type': kind, 'num_classes': 4, 'out_channels': 256}


def weighted(weights: Any, num_classes: int = 4) -> dict[str, Any]:
    loss = {'type': 'CrossEntropyLoss', 'class_weight': weights}
    return {'decode_head': {'num_classes': num_classes, 'loss_decode': loss}}


def test_class_weights_of_other_classes_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    model = weighted([1.0, 2.0, 3.0, 4.0])
    set_segmentation_classes(model, 3)
    assert model['decode_head']['loss_decode']['class_weight'] is None
    shown = ''.join(capsys.readouterr())
    assert 'class_weight of CrossEntropyLoss has 4 weights' in shown
    assert '3 classes: removed' in shown


@pytest.mark.parametrize('weights', [[1.0, 2.0, 3.0], None, 'weights.npy'])
def test_class_weights_that_may_fit_stay(weights: Any) -> None:
    model = weighted(weights)
    set_segmentation_classes(model, 3)
    assert model['decode_head']['loss_decode']['class_weight'] == weights


@pytest.mark.parametrize(
    ('weights', 'after'),
    [([2.0] * 4 + [0.1], [2.0, 2.0, 0.1]), ([4.0, 3.0, 2.0, 1.0, 0.1], [1.0, 1.0, 0.1])],
)
def test_weight_of_no_object_stays(weights: list[float], after: list[float]) -> None:
    model = {'decode_head': {'num_classes': 4, 'loss_cls': {'class_weight': weights}}}
    set_segmentation_classes(model, 2)
    assert model['decode_head']['loss_cls']['class_weight'] == after


def test_models_without_heads_and_of_vocabularies() -> None:
    assert set_segmentation_classes({'decode_head': {'channels': 8}}, 2) == 0
    with pytest.raises(ValueError, match='got one with a text_encoder'):
        set_segmentation_classes({'text_encoder': {'type': 'CLIPTextEncoder'}}, 2)
