"""Tiny models with checkpoints of random weights, for classes of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from effnet_dense.engine.config import load_config
from effnet_dense.inference import Predictor
from effnet_dense.inference.meta import model_for
from tests.engine.conftest import tiny_data

__all__ = ['tiny_data']

CLASSES = ('square', 'bar', 'ring')


def detector() -> Config:
    options: dict[str, Any] = {
        'model.neck.out_channels': 8,
        'model.bbox_head.in_channels': 8,
        'model.bbox_head.feat_channels': 8,
        'model.bbox_head.stacked_convs': 1,
        'model.test_cfg.score_thr': 0.0,
        'model.test_cfg.max_per_img': 5,
        'test_dataloader.dataset.pipeline.1.scale': (64, 64),
    }
    return load_config('effnet_lite0_retinanet_finetune', options=options)


def segmentor() -> Config:
    return load_config('effnet_lite0_fpn_camvid')


def saved(config: Config, path: Path, classes: tuple[str, ...] = CLASSES) -> Path:
    """A checkpoint as mmengine's runner writes it after a training with `--data`."""
    init_default_scope(config.default_scope)
    torch.manual_seed(0)
    model = MODELS.build(model_for(config, classes))
    colours = [(255, 0, 0)] * len(classes)
    meta = {'dataset_meta': {'classes': classes, 'palette': colours}}
    torch.save({'meta': meta, 'state_dict': model.state_dict()}, path)
    return path


@pytest.fixture(scope='session')
def detecting(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A detector of three classes from a config of 80."""
    path = saved(detector(), tmp_path_factory.mktemp('detector') / 'epoch_1.pth')
    return Predictor(detector(), path, 'cpu')


@pytest.fixture(scope='session')
def segmenting(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A segmentor of three classes from a config of 11."""
    path = saved(segmentor(), tmp_path_factory.mktemp('segmentor') / 'iter_1.pth')
    return Predictor(segmentor(), path, 'cpu')
