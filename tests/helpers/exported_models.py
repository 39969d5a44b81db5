"""Checkpoints of small models that are exported, and what two predictors find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from effnet_dense.engine.config import load_config
from effnet_dense.inference import Predictor
from tests.helpers.tiny_models import detector, saved, segmentor

Files = dict[str, tuple[Config, Path]]
RANDOM = np.random.default_rng(0)
# Of one size after resizing, so that PyTorch pads them as the exported network does.
IMAGES = [RANDOM.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(3)]


LAST = (('retina_cls', 'cls_predict.pointwise'), ('retina_reg', 'reg_predict.pointwise'))
"""Last layers for classes and for boxes."""


def efficientdet() -> Config:
    """Return the config of a small EfficientDet, with soft-NMS."""
    size = {'test_dataloader.dataset.pipeline.1.scale': (128, 128)}
    narrow = {
        'model.neck.num_cells': 1,
        'model.bbox_head.stacked_convs': 1,
        'model.data_preprocessor.pad_size_divisor': 128,
        'model.data_preprocessor.batch_augments': None,
        'model.test_cfg.max_per_img': 20,
    }
    return load_config('efficientdet_lite0_finetune', options={**size, **narrow})


def spread(config: Config, checkpoint: Path) -> None:
    """Scale a random detector's last layers, so that scores and boxes differ from each other."""
    predictor = Predictor(config, checkpoint, 'cpu')
    head = predictor.model.bbox_head
    data = predictor.model.data_preprocessor(pseudo_collate([predictor.prepare(IMAGES[0])]))
    with torch.no_grad():
        outputs = head(predictor.model.extract_feat(data['inputs']))
    saved_model = torch.load(checkpoint, weights_only=False)
    for levels, names, width in zip(outputs, LAST, (2.0, 0.5), strict=True):
        name = next(n for n in names if f'bbox_head.{n}.weight' in saved_model['state_dict'])
        measured = torch.cat([level.flatten() for level in levels]).std()
        saved_model['state_dict'][f'bbox_head.{name}.weight'] *= width / measured
        saved_model['state_dict'][f'bbox_head.{name}.bias'].zero_()
    torch.save(saved_model, checkpoint)


def checkpoints(folder: Path) -> Files:
    """Write small models: RetinaNet, EfficientDet, FPN; return config and checkpoint by name."""
    retinanet = detector()
    retinanet.model.test_cfg.max_per_img = 20
    retinanet.model.data_preprocessor.batch_augments = None
    configs = {'retinanet': retinanet, 'efficientdet': efficientdet(), 'fpn': segmentor()}
    found = {name: (c, saved(c, folder / f'{name}.pth')) for name, c in configs.items()}
    for name in ('retinanet', 'efficientdet'):
        spread(*found[name])
    return found


def same_detections(pytorch: Predictor, exported: Predictor, images: Any = IMAGES) -> None:
    """Compare what two predictors find."""
    for batch_size in (1, 3):
        wanted = pytorch(images, batch_size)
        for expected, sample in zip(wanted, exported(images, batch_size), strict=True):
            one, other = expected.pred_instances, sample.pred_instances
            assert len(one) == len(other) >= 5
            torch.testing.assert_close(other.scores, one.scores, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(other.labels, one.labels)
            torch.testing.assert_close(other.bboxes, one.bboxes, rtol=1e-3, atol=1e-2)
