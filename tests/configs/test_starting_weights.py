"""Configs need of images and layers what timm's networks of their starting weights' names do."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch

from effnet_dense.engine.config import load_config, shipped_configs
from effnet_dense.scaling import FAMILIES

timm = pytest.importorskip('timm')

RELEASED_RECIPES = {'effnet_b3_retinanet_coco', 'efficientdet_d4_seg_voc2012'}
"""Their figures belong to the weights of AutoAugment, as those of EfficientDet-D0…D7x do."""


def timm_name(config: str) -> str | None:
    """Return the name that a shipped config's backbone starts from, without `timm://`."""
    source = load_config(config).model.backbone.init_cfg.checkpoint
    return source.removeprefix('timm://') if source.startswith('timm://') else None


NAMES = {config: name for config in shipped_configs() if (name := timm_name(config))}


@functools.cache
def network(name: str) -> Any:
    """timm's network, without storage and weights."""
    with torch.device('meta'):
        return timm.create_model(name, pretrained=False)


@pytest.mark.parametrize('config', NAMES)
def test_images_are_normalised_as_the_weights_were_trained(config: str) -> None:
    preprocessor = load_config(config).model.data_preprocessor
    cfg = timm.get_pretrained_cfg(NAMES[config])
    assert preprocessor.mean == pytest.approx([255 * value for value in cfg.mean], abs=0.005)
    assert preprocessor.std == pytest.approx([255 * value for value in cfg.std], abs=0.005)
    assert preprocessor.bgr_to_rgb


@pytest.mark.parametrize('config', NAMES)
def test_padding_eps_and_network_are_those_of_the_weights(config: str) -> None:
    backbone, peer = load_config(config).model.backbone, network(NAMES[config])
    padding = 'same' if type(peer.conv_stem).__name__ == 'Conv2dSame' else 'symmetric'
    assert (backbone.padding, backbone.norm_cfg.eps) == (padding, peer.bn1.eps)
    architecture = NAMES[config].partition('.')[0].removeprefix('tf_efficientnet')
    assert backbone.arch == architecture.lstrip('_')
    assert backbone.arch in FAMILIES


def test_recipes_with_published_figures_keep_their_weights() -> None:
    """The others start from weights of higher ImageNet accuracy, at the same cost."""
    for config, name in NAMES.items():
        published = config.startswith('efficientdet_d') or config in RELEASED_RECIPES
        if '_lite' not in config:
            better = '.in21k_ft_in1k' if 'v2_' in name else '.ns_jft_in1k'
            expected = '.aa_in1k' if published else better
            assert name.endswith(expected), (config, name)
