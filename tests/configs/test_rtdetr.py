"""RT-DETR on our backbone: a step, a prediction, `--data` and `--image-size`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.engine.config import load_config
from effnet_dense.settings import Settings
from tests.helpers.build import FOLDER, build
from tests.helpers.model_checks import check_step
from tests.helpers.tiny import as_arguments, write_data
from tests.helpers.tiny_models import SMALL_RTDETR
from tests.helpers.tool import call

NAME = 'effnet_b3_rtdetr_coco'


def load(side: int = 64, **kwargs: Any) -> Config:
    settings = Settings(backbone='lite0', weights='none', image_size=(side, side), batch_size=2)
    return load_config(FOLDER / f'{NAME}.py', settings=settings, options=SMALL_RTDETR, **kwargs)


def test_neck_and_head_fit_the_backbone() -> None:
    check_channels(build(load_config(FOLDER / f'{NAME}.py')))


def test_a_size_sets_pipelines_and_random_sizes() -> None:
    config = load(320)
    (augment,) = config.model.data_preprocessor.batch_augments
    assert tuple(augment.random_size_range) == (256, 384)
    for loader in (config.train_dataloader, config.test_dataloader):
        (resize,) = (step for step in loader.dataset.pipeline if step.type == 'Resize')
        assert tuple(resize.scale) == (320, 320) and not resize.keep_ratio


def test_a_step_and_a_prediction() -> None:
    init_default_scope('mmdet')
    model = build(load())
    model.init_weights()
    samples = []
    for boxes in ([[4.0, 4.0, 30.0, 40.0]], []):  # the second image has no object
        sample = DetDataSample()
        size = (64, 64)
        sample.set_metainfo(dict(img_shape=size, ori_shape=size, batch_input_shape=size))
        labels = torch.zeros(len(boxes), dtype=torch.long)
        sample.gt_instances = InstanceData(bboxes=torch.tensor(boxes).reshape(-1, 4), labels=labels)
        samples.append(sample)
    images = torch.randn(2, 3, 64, 64)
    losses = model.train().loss(images, samples)
    assert {'loss_cls', 'enc_loss_iou', 'd0.dn_loss_bbox'} <= set(losses)
    check_step(model, losses)
    with torch.no_grad():
        found = model.eval().predict(images, samples, rescale=False)
    assert all(len(sample.pred_instances) == 20 for sample in found)
    assert all(torch.isfinite(sample.pred_instances.bboxes).all() for sample in found)
    assert MODELS.get('effnet_dense.RTDETR') is type(model)


@pytest.mark.slow
def test_trains_tests_and_predicts_on_a_data_folder(tmp_path: Path, quiet_loggers: None) -> None:
    data = write_data(tmp_path / 'data')
    words = ['--data', data, '--work-dir', tmp_path / 'run', '--backbone', 'lite0']
    words += ['--weights', 'none', '--image-size', 64, '--epochs', 1, '--batch-size', 2]
    assert call('train', NAME, *words, '--workers', 0, *as_arguments(SMALL_RTDETR)) == 0
    (log,) = (tmp_path / 'run').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
    assert all(math.isfinite(line['loss_cls']) for line in lines if 'loss' in line)
    assert call('test', tmp_path / 'run') == 0
    (image, *_) = sorted((data / 'images' / 'val').iterdir())
    assert call('infer', tmp_path / 'run', image, '--runtime', 'pytorch') == 0
    assert list((tmp_path / 'run' / 'predictions' / 'pictures').iterdir())
