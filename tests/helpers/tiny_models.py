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

SMALL_RTDETR = {
    'model.num_queries': 20,
    'model.test_cfg.max_per_img': 20,
    'model.decoder.num_layers': 2,
    'model.neck.expansion': 0.25,
    'model.neck.layer_cfg.ffn_cfg.feedforward_channels': 32,
    'model.decoder.layer_cfg.ffn_cfg.feedforward_channels': 32,
}
"""`--cfg-options` for few layers and queries."""


def detector() -> Config:
    """Return the config of a narrow RetinaNet for 64-pixel images."""
    values: dict[str, Any] = {
        **narrow_retinanet(),
        'model.test_cfg.score_thr': 0.0,
        'model.test_cfg.max_per_img': 5,
        'test_dataloader.dataset.pipeline.1.scale': (64, 64),
    }
    return load_config(DETECTOR, options=values)


def segmentor(name: str = SEGMENTOR) -> Config:
    """Return the config of the smallest FPN, or another shipped one, whose tests keep the size."""
    config = load_config(name)
    for loop in ('val', 'test'):
        dataset = config[f'{loop}_dataloader'].dataset
        dataset.pipeline = [step for step in dataset.pipeline if step.type != 'Resize']
    return config


def rtmdet() -> Config:
    """Return the config of a small RTMDet-Ins."""
    return load_config(
        'effnet_b0_rtmdet_ins_coco',
        options={
            'test_dataloader.dataset.pipeline.1.scale': (64, 64),
            'test_dataloader.dataset.pipeline.2.size': (64, 64),
            'model.backbone.arch': 'lite0',
            'model.backbone.init_cfg': None,
            'model.neck.out_channels': 16,
            'model.neck.num_cells': 1,
            'model.bbox_head.in_channels': 16,
            'model.bbox_head.feat_channels': 16,
            'model.bbox_head.stacked_convs': 1,
            'model.test_cfg.max_per_img': 10,
        },
    )


def mask_rcnn(name: str = 'effnet_lite0_mask_rcnn_finetune') -> Config:
    """Return the config of a small Mask R-CNN, or Panoptic FPN."""
    narrow = {
        'test_dataloader.dataset.pipeline.1.scale': (64, 64),
        'model.backbone.arch': 'lite0',
        'model.backbone.init_cfg': None,
        'model.data_preprocessor.batch_augments': None,
        'model.neck.out_channels': 16,
        'model.rpn_head.in_channels': 16,
        'model.rpn_head.feat_channels': 16,
        'model.test_cfg.rpn.max_per_img': 30,
        'model.test_cfg.rcnn.max_per_img': 10,
        'model.test_cfg.rcnn.score_thr': 0.05,
        'model.roi_head.bbox_head.fc_out_channels': 32,
        'model.roi_head.mask_head.conv_out_channels': 16,
        **{f'model.roi_head.{k}_head.in_channels': 16 for k in ('bbox', 'mask')},
        **{f'model.roi_head.{k}_roi_extractor.out_channels': 16 for k in ('bbox', 'mask')},
    }
    if 'panoptic' in name:
        narrow['model.semantic_head.in_channels'] = 16
        narrow['model.semantic_head.inner_channels'] = 32
        narrow['model.test_cfg.panoptic.stuff_area_limit'] = 16
        narrow['model.neck.in_channels'] = [24, 40, 112, 320]
    return load_config(name, options=narrow)


def saved(config: Config, path: Path, classes: tuple[str, ...] = CLASSES) -> Path:
    """Write a checkpoint as mmengine's runner does after a training with `--data`."""
    init_default_scope(config.default_scope)
    torch.manual_seed(0)
    model = MODELS.build(model_for(config, classes))
    colours = [(255, 0, 0)] * len(classes)
    meta = {'dataset_meta': {'classes': classes, 'palette': colours}}
    torch.save({'meta': meta, 'state_dict': model.state_dict()}, path)
    return path
