"""The image size on which a config trains."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.config import Config

from effnet_dense.analysis.memory.image_size import network_input_size
from effnet_dense.engine.config import load_config


@pytest.mark.parametrize(
    ('name', 'size'),
    [
        ('efficientdet_d1_coco', (640, 640)),
        ('effnet_b3_retinanet_coco', (896, 896)),
        ('effnet_lite0_bifpn_camvid', (320, 416)),
    ],
)
def test_of_shipped_configs(name: str, size: tuple[int, int]) -> None:
    assert network_input_size(load_config(name)) == size


def config(*transforms: dict[str, Any], scope: str = 'mmdet', divisor: int = 1) -> Config:
    dataset = dict(type='RepeatDataset', dataset=dict(type='Any', pipeline=list(transforms)))
    return Config(
        dict(
            default_scope=scope,
            model=dict(data_preprocessor=dict(pad_size_divisor=divisor)),
            train_dataloader=dict(dataset=dataset),
        )
    )


def test_scales_are_width_and_height_and_padded() -> None:
    resize = dict(type='Resize', scale=(1333, 800), keep_ratio=True)
    assert network_input_size(config(resize, dict(type='RandomFlip', prob=0.5))) == (800, 1333)
    assert network_input_size(config(resize, divisor=32)) == (800, 1344)


def test_the_last_transform_and_the_largest_scale_count() -> None:
    choice = dict(type='RandomChoiceResize', scales=[(1333, 640), (1333, 800)])
    assert network_input_size(config(dict(type='Resize', scale=(100, 90)), choice)) == (800, 1333)
    crop = dict(type='RandomCrop', crop_size=(384, 600))
    assert network_input_size(config(choice, crop)) == (600, 384)
    assert network_input_size(config(choice, crop, scope='mmseg')) == (384, 600)
    nested = dict(type='RandomChoice', transforms=[[choice], [crop]])
    assert network_input_size(config(nested)) == (600, 384)


def test_a_config_without_a_size() -> None:
    with pytest.raises(ValueError, match=r'does not state the size .* pass --size'):
        network_input_size(config(dict(type='RandomFlip', prob=0.5)))
