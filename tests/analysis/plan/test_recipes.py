"""The values that a plan sets in the shipped configs."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.config import Config

from effnet_dense.analysis.memory.image_size import network_input_size
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.analysis.plan.recipes import (
    BACKBONES,
    RECIPES,
    Recipe,
    Schedule,
    Size,
    base_config,
    published_figure,
    set_backbone,
    set_class_weights,
    set_schedule,
    set_size,
)
from effnet_dense.data.resizing import split_scales
from effnet_dense.engine.settings.workers import set_workers
from effnet_dense.weights.sources import source_info
from effnet_dense.weights.zoo import IMAGENET_WEIGHTS

SQUARE = Size((448, 448), (448, 448))
WIDE = Size((480, 360), (320, 416), own=True)


def recipe_of(label: str) -> Recipe:
    return next(recipe for recipe in RECIPES if recipe.label == label)


def sizes_in(node: Any) -> set[tuple[int, ...]]:
    """All pairs of whole numbers from 100 on."""
    if isinstance(node, dict):
        return set().union(*map(sizes_in, node.values()), set())
    if isinstance(node, list | tuple):
        if len(node) == 2 and all(isinstance(n, int) and n >= 100 for n in node):
            return {tuple(node)}
        return set().union(*map(sizes_in, node), set())
    return set()


def used(config: Config) -> Any:
    """What training reads of a config."""
    keys = ('model', 'train_dataloader', 'val_dataloader', 'test_dataloader')
    return {key: config[key].to_dict() for key in keys}


@pytest.mark.parametrize('augmentation', ['jitter', 'mosaic', 'copy-paste'])
@pytest.mark.parametrize('recipe', RECIPES, ids=lambda recipe: recipe.label)
def test_a_size_is_set_everywhere(recipe: Recipe, augmentation: str) -> None:
    config = base_config(recipe, augmentation)
    set_size(config, SQUARE)
    assert sizes_in(used(config)) == {(448, 448)}
    assert network_input_size(config) == (448, 448)
    assert split_scales(config)['val'] is not None


@pytest.mark.parametrize('label', ['FPN', 'BiFPN'])
def test_label_maps_keep_their_own_size(label: str) -> None:
    recipe = recipe_of(label)
    base, config = base_config(recipe), base_config(recipe)
    set_size(config, WIDE)
    assert used(config) == used(base)  # CamVid's own
    set_size(config, Size((256, 192), (160, 224)))
    names = [step['type'] for step in config.val_dataloader.dataset.pipeline]
    assert names[1] == 'Resize' and names.index('Resize') < len(names) - 2
    set_size(config, Size((320, 240), (224, 288)))
    assert [step['type'] for step in config.val_dataloader.dataset.pipeline] == names


@pytest.mark.parametrize('recipe', RECIPES, ids=lambda recipe: recipe.label)
def test_a_schedule_ends_where_training_does(recipe: Recipe) -> None:
    config = base_config(recipe)
    rate, base_batch = config.optim_wrapper.optimizer.lr, config.auto_scale_lr.base_batch_size
    set_schedule(config, recipe, Schedule(600, 30), 2)
    warm_up, decay = config.param_scheduler
    end = 600 if recipe.task == 'semantic' else 20
    assert (warm_up.begin, decay.end) == (0, end) and warm_up.end == decay.begin < end
    length = config.train_cfg.get('max_iters') or config.train_cfg.max_epochs
    assert length == end
    assert config.optim_wrapper.optimizer.lr == pytest.approx(rate * 2 / base_batch, rel=1e-2)
    assert config.model.backbone.norm_eval is True
    assert config.auto_scale_lr.base_batch_size == config.train_dataloader.batch_size == 2


@pytest.mark.parametrize('recipe', RECIPES, ids=lambda recipe: recipe.label)
def test_the_recipes_own_schedule_stays(recipe: Recipe) -> None:
    config, base = base_config(recipe), base_config(recipe)
    batch = base.train_dataloader.batch_size
    per_epoch, steps = 136 // batch, 368 if recipe.task == 'semantic' else 15 * 136 // batch
    set_schedule(config, recipe, Schedule(steps, per_epoch), batch)
    set_workers(config, 2)
    set_backbone(config, recipe, 'lite0')
    assert config.to_dict() == base.to_dict()


@pytest.mark.parametrize('arch', BACKBONES)
def test_weights_fit_the_normalisation(arch: str) -> None:
    pytest.importorskip('timm')
    config = base_config(RECIPES[0])
    set_backbone(config, RECIPES[0], arch)
    info = source_info(IMAGENET_WEIGHTS[arch])
    assert info is not None
    assert tuple(config.model.data_preprocessor.mean) == info.mean
    assert tuple(config.model.data_preprocessor.std) == info.std
    assert info.padding == config.model.backbone.padding


def test_channels_fit() -> None:
    """`build_model` compares the channels of backbone, neck and head."""
    config = base_config(recipe_of('EfficientDet'))
    set_backbone(config, recipe_of('EfficientDet'), 'lite1')
    config.model.backbone.init_cfg = None
    assert build_model(config).neck.out_channels == 88  # EfficientDet-Lite1


@pytest.mark.slow
@pytest.mark.parametrize('arch', ['lite2', 'b1', 'b3'])
@pytest.mark.parametrize('recipe', RECIPES, ids=lambda recipe: recipe.label)
def test_channels_of_all_recipes_fit(recipe: Recipe, arch: str) -> None:
    config = base_config(recipe)
    set_backbone(config, recipe, arch)
    config.model.backbone.init_cfg = None
    build_model(config)


def test_class_weights_and_figures() -> None:
    config = base_config(recipe_of('FPN'))
    set_class_weights(config, [1.0, 2.0])
    assert config.model.decode_head.num_classes == 2
    assert config.model.decode_head.loss_decode[0].class_weight == [1.0, 2.0]
    assert published_figure(recipe_of('EfficientDet'), 'b0') == 34.3
    assert published_figure(recipe_of('EfficientDet'), 'lite2') == 35.06
    assert published_figure(recipe_of('RetinaNet'), 'b0') is None
