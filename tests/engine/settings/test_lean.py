"""Lean training, compilation, workers and seeds in a config."""

from __future__ import annotations

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from effnet_dense.engine.config import shipped_configs
from effnet_dense.engine.config_files import read_config
from effnet_dense.engine.settings.compiling import set_compile
from effnet_dense.engine.settings.lean import set_lean
from effnet_dense.engine.settings.seed import set_seed
from effnet_dense.engine.settings.workers import set_workers


def test_all_own_parts_are_lean() -> None:
    config = read_config(shipped_configs()['efficientdet_d0_coco'])
    set_lean(config, 2)
    model = config.model
    assert [model[part].lean for part in ('backbone', 'neck', 'bbox_head')] == [2, 2, 2]
    model.backbone.init_cfg = None
    init_default_scope('mmdet')
    for level in (2, 0):
        set_lean(config, level)
        built = MODELS.build(model)
        assert {module.lean for module in built.modules() if hasattr(module, 'lean')} == {level}


def test_models_of_others_have_none() -> None:
    with pytest.raises(ValueError, match=r'--lean 1: no part of the model .* effnet_dense'):
        set_lean(Config(dict(model=dict(type='RetinaNet', backbone=dict(type='ResNet')))), 1)


def test_compile_keeps_the_compilers_options() -> None:
    config = Config(dict(compile=dict(mode='max-autotune')))
    set_compile(config, True)
    assert config.compile == dict(mode='max-autotune')
    config.compile = False
    set_compile(config, True)
    assert config.compile is True


def test_workers_of_all_loaders() -> None:
    loader = dict(num_workers=2, persistent_workers=True, prefetch_factor=4, timeout=9)
    config = Config(dict(train_dataloader=dict(loader), test_dataloader=dict(loader)))
    set_workers(config, 5)
    assert config.train_dataloader == {**loader, 'num_workers': 5}
    set_workers(config, 0)
    assert config.test_dataloader == dict(num_workers=0, persistent_workers=False)
    set_workers(config, 1)
    assert config.test_dataloader == dict(num_workers=1, persistent_workers=True)
    with pytest.raises(ValueError, match='--workers 1: the config has none of train_dataloader'):
        set_workers(Config({}), 1)


def test_the_seed_of_runs_and_samplers() -> None:
    config = Config(
        dict(
            randomness=dict(seed=0, deterministic=True),
            train_dataloader=dict(sampler=dict(type='DefaultSampler', seed=3)),
            val_dataloader=dict(sampler=dict(type='DefaultSampler')),
        )
    )
    set_seed(config, 11)
    assert config.randomness == dict(seed=11, deterministic=True)
    assert config.train_dataloader.sampler.seed == 11
    assert 'seed' not in config.val_dataloader.sampler
    with pytest.raises(ValueError, match='seeds are at most 4294967295'):
        set_seed(config, 2**32)
