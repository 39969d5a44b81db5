"""A detector, a Mask R-CNN and a segmentor, trained for two steps with `--data`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.label_folder import write_classes, write_label
from tests.helpers.tiny import as_arguments, narrow_retinanet, options, write_data
from tests.helpers.tool import call

SMALL_MASK_RCNN = {
    'model.neck.out_channels': 8,
    'model.rpn_head.in_channels': 8,
    'model.rpn_head.feat_channels': 8,
    'model.roi_head.bbox_roi_extractor.out_channels': 8,
    'model.roi_head.bbox_head.in_channels': 8,
    'model.roi_head.bbox_head.fc_out_channels': 16,
    'model.roi_head.mask_roi_extractor.out_channels': 8,
    'model.roi_head.mask_head.in_channels': 8,
    'model.roi_head.mask_head.conv_out_channels': 8,
    'model.roi_head.mask_head.num_convs': 1,
    'model.test_cfg.rpn.max_per_img': 20,
    'model.test_cfg.rcnn.score_thr': 0.0,
    'model.test_cfg.rcnn.max_per_img': 5,
}
SMALL_SEGMENTOR = {
    'model.backbone.init_cfg': None,
    'model.data_preprocessor.size': (64, 64),
    'model.neck.out_channels': 8,
    'model.decode_head.in_channels': [8] * 4,
    'model.decode_head.channels': 8,
    'train_dataloader.dataset.pipeline.2.scale': (64, 64),
    'train_dataloader.dataset.pipeline.3.crop_size': (64, 64),
    'train_dataloader.batch_size': 2,
    'train_cfg.max_iters': 2,
    'train_cfg.val_interval': 100,
    'default_hooks.checkpoint.interval': 2,
    **{
        f'{loop}_dataloader.{key}': value
        for loop in ('train', 'val', 'test')
        for key, value in (('num_workers', 0), ('persistent_workers', False))
    },
}


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        config: The config as the run saved it, with the data's classes.
        checkpoint: Its last checkpoint.
        shipped: The name of the shipped config.
        settings: What the run changed of it, besides its data.
        images: The images it is evaluated on.
    """

    config: Path
    checkpoint: Path
    shipped: str
    settings: dict[str, Any]
    images: list[Path]

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.checkpoint.parent


def write_label_maps(folder: Path) -> Path:
    """Write four images to train on and two to evaluate, noise in three classes of brightness."""
    draw = np.random.default_rng(0)
    write_classes(folder, dict(classes=['left', 'middle', 'right'], ignore=9))
    for part, count in (('train', 4), ('val', 2)):
        for number in range(count):
            labels = np.kron(draw.integers(0, 3, (4, 4)), np.ones((16, 16))).astype(np.uint8)
            image = (80 * labels + draw.integers(0, 60, labels.shape)).astype(np.uint8)
            write_label(folder / 'images' / part / f'{number}.png', np.dstack([image] * 3))
            write_label(folder / 'labels' / part / f'{number}.png', labels)
    return folder


def train(kind: str, folder: Path) -> Run:
    """Train a 'detector', a 'mask_rcnn' or a 'segmentor' for two steps."""
    shipped, write, settings = _RECIPES[kind]
    data, work = write(folder / 'data'), folder / 'run'
    words = ['--data', data, '--work-dir', work, *as_arguments({**settings, 'report': False})]
    assert call('train', shipped, *words) == 0
    (checkpoint,) = work.glob('*_*.pth')
    images = sorted((data / 'images' / 'val').iterdir())
    return Run(work / f'{shipped}.py', checkpoint, shipped, settings, images)


_RECIPES: dict[str, tuple[str, Callable[[Path], Path], dict[str, Any]]] = {
    'detector': (
        'effnet_lite0_retinanet_finetune',
        write_data,
        {**options(), **narrow_retinanet(), 'model.test_cfg.max_per_img': 5},
    ),
    'mask_rcnn': (
        'effnet_lite0_mask_rcnn_finetune',
        write_data,
        {
            **{k: v for k, v in options().items() if k != 'model.test_cfg.score_thr'},
            **SMALL_MASK_RCNN,
        },
    ),
    'segmentor': ('effnet_lite0_fpn_camvid', write_label_maps, SMALL_SEGMENTOR),
}
