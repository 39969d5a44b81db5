"""A tiny detector and segmentor with random weights, for classes of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from effnet_dense.engine.config import load_config
from effnet_dense.inference.meta import model_for
from tests.helpers.tiny import as_arguments, narrow_retinanet, options

DETECTOR = 'effnet_lite0_retinanet_finetune'
SEGMENTOR = 'effnet_lite0_fpn_camvid'
# Command-line options that train and test the detector on tiny data; every detection is drawn.
SMALL = as_arguments(
    {**options(), **narrow_retinanet(), 'default_hooks.visualization.score_thr': 0.0}
)
CLASSES = ('square', 'bar', 'ring')


def detector() -> Config:
    """Return the config of a narrow RetinaNet for 64-pixel images."""
    values: dict[str, Any] = {
        **narrow_retinanet(),
        'model.test_cfg.score_thr': 0.0,
        'model.test_cfg.max_per_img': 5,
        'test_dataloader.dataset.pipeline.1.scale': (64, 64),
    }
    return load_config(DETECTOR, options=values)


def segmentor() -> Config:
    """Return the config of the smallest FPN."""
    return load_config(SEGMENTOR)


def saved(config: Config, path: Path, classes: tuple[str, ...] = CLASSES) -> Path:
    """Write a checkpoint as mmengine's runner does after a training with `--data`."""
    init_default_scope(config.default_scope)
    torch.manual_seed(0)
    model = MODELS.build(model_for(config, classes))
    colours = [(255, 0, 0)] * len(classes)
    meta = {'dataset_meta': {'classes': classes, 'palette': colours}}
    torch.save({'meta': meta, 'state_dict': model.state_dict()}, path)
    return path
