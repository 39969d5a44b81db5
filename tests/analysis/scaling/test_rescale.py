"""Configs scaled by a candidate."""

from __future__ import annotations

import pytest
from mmengine.config import Config

from effnet_dense.analysis.memory.image_size import network_input_size
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.analysis.scaling.grid import BASE, Candidate
from effnet_dense.analysis.scaling.rescale import scale_config, scaled_arch
from effnet_dense.engine.config import load_config


def scaled(name: str, candidate: Candidate, size: int | None = None) -> Config:
    config = load_config(name)
    scale_config(config, candidate, size)
    return config


def test_a_detector() -> None:
    config = scaled('efficientdet_lite0_finetune', Candidate(1.8, 1.4, 1.25), 64)
    assert config.model.backbone.arch == dict(base='lite0', width=1.4, depth=1.8)
    assert config.model.neck.in_channels == [56, 160, 448]  # B4's width
    # 64 · 1.25 = 80
    assert network_input_size(config) == (80, 80)
    assert config.model.data_preprocessor.pad_size_divisor == 80
    train, val = (config[f'{loop}_dataloader'].dataset.pipeline for loop in ('train', 'val'))
    assert (tuple(train[2].scale), tuple(train[3].crop_size)) == ((80, 80), (80, 80))
    assert train[2].ratio_range == (0.5, 1.5)
    assert tuple(val[1].scale) == (80, 80)
    build_model(config)


def test_it_starts_from_random_weights() -> None:
    config = scaled('efficientdet_lite0_finetune', BASE)
    backbone = config.model.backbone
    assert (backbone.init_cfg, backbone.norm_eval, backbone.frozen_stages) == (None, False, 0)
    assert config.optim_wrapper.paramwise_cfg.custom_keys.backbone == {}
    assert network_input_size(config) == (320, 320)


def test_a_segmentor() -> None:
    config = scaled('effnet_lite0_fpn_camvid', Candidate(1.0, 1.0, 1.2))
    # 320 · 1.2 = 384, 416 · 1.2 = 499.2
    assert tuple(config.model.data_preprocessor.size) == (384, 496)
    assert config.model.neck.in_channels == [24, 40, 112, 320]
    train, val = (config[f'{loop}_dataloader'].dataset.pipeline for loop in ('train', 'val'))
    assert tuple(train[2].scale) == (576, 432)  # 480 × 360
    assert tuple(train[3].crop_size) == (384, 496)
    assert tuple(val[1].scale) == (576, 432)
    for loop in ('val', 'test'):
        types = [t.type for t in config[f'{loop}_dataloader'].dataset.pipeline]
        assert types.count('Resize') == 1


def test_heads_without_a_neck() -> None:
    config = scaled('effnet_b3_deeplabv3plus_ade20k', Candidate(1.0, 1.2, 1.0))
    build_model(config)  # compares the channels


def test_architectures_are_multiplied() -> None:
    assert scaled_arch('b2', 1.5, 2.0) == dict(base='b0', width=2.2, depth=1.8)
    own = dict(base='lite0', width=0.5, depth=2)
    assert scaled_arch(own, 1.5, 2.0) == dict(base='lite0', width=1.0, depth=3.0)


def test_what_cannot_be_scaled() -> None:
    with pytest.raises(ValueError, match='must be a name or have width and depth'):
        scaled_arch(dict(phi=1), 1.0, 1.0)
    config = load_config('effnet_lite0_retinanet_finetune')
    config.model.backbone = dict(type='ResNet', depth=50)
    with pytest.raises(ValueError, match=r"must be an effnet_dense\.EfficientNet, got 'ResNet'"):
        scale_config(config, BASE)
