"""Mask2Former on instances and label maps: recipes, steps, predictions, and `--data`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from effnet_dense.deployment import deploy, tensor_parts
from effnet_dense.engine.config import load_config
from effnet_dense.settings import Settings
from tests.helpers.build import FOLDER, build
from tests.helpers.label_folder import write_folder
from tests.helpers.model_checks import check_detector, check_step
from tests.helpers.stock_config import stock_config
from tests.helpers.tiny import as_arguments, write_data
from tests.helpers.tool import call

INSTANCES, LABEL_MAPS = 'effnet_b3_mask2former_coco', 'effnet_b5_mask2former_ade20k'
MMDETS = 'mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco.py'
MMSEGS = 'mmseg::mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py'
HEADS = {INSTANCES: 'panoptic_head', LABEL_MAPS: 'decode_head'}


def small(name: str) -> dict[str, Any]:
    """`--cfg-options` for few layers, queries and sampled points."""
    head = f'model.{HEADS[name]}'
    points = 'model.train_cfg' if name == INSTANCES else f'{head}.train_cfg'
    return {
        f'{head}.pixel_decoder.encoder.num_layers': 1,
        f'{head}.transformer_decoder.num_layers': 2,
        f'{head}.num_queries': 20,
        f'{points}.num_points': 64,
    }


def load(name: str, **kwargs: Any) -> Config:
    settings = Settings(backbone='lite0', weights='none', image_size=(64, 64), batch_size=2)
    return load_config(FOLDER / f'{name}.py', settings=settings, options=small(name), **kwargs)


def assert_within(ours: Any, theirs: Any, key: str = '') -> None:
    """Every value of ours is theirs; what ours leaves out is a default of theirs."""
    if isinstance(ours, dict):
        for name, value in ours.items():
            if name not in ('in_channels', 'data_preprocessor', 'backbone'):
                assert_within(value, theirs[name], f'{key}.{name}')
    elif isinstance(ours, list) and ours and isinstance(ours[0], dict):
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_within(a, b, f'{key}.{index}')
    else:
        assert ours == theirs, key


@pytest.mark.parametrize(('name', 'stock'), [(INSTANCES, MMDETS), (LABEL_MAPS, MMSEGS)])
def test_heads_and_optimizer_equal_the_originals(name: str, stock: str) -> None:
    ours, theirs = load_config(FOLDER / f'{name}.py'), stock_config(stock)
    assert_within(ours.model, theirs.model)
    assert_within(ours.optim_wrapper, theirs.optim_wrapper)
    assert ours.auto_scale_lr.base_batch_size == theirs.auto_scale_lr.base_batch_size


def test_schedules_equal_the_originals() -> None:
    ours, theirs = load_config(FOLDER / f'{INSTANCES}.py'), stock_config(MMDETS)
    steps_per_epoch = theirs.train_cfg.max_iters / 50
    (scheduler,) = ours.param_scheduler
    expected = [int(step / steps_per_epoch) for step in theirs.param_scheduler.milestones]
    assert (scheduler.milestones, ours.train_cfg.max_epochs) == (expected, 50)
    ours, theirs = load_config(FOLDER / f'{LABEL_MAPS}.py'), stock_config(MMSEGS)
    assert ours.train_cfg.max_iters == theirs.train_cfg.max_iters
    assert_within(ours.param_scheduler, theirs.param_scheduler)


def test_a_step_and_a_prediction_of_instances() -> None:
    model = load(INSTANCES).model
    model.data_preprocessor.batch_augments[0].size = (128, 128)
    check_detector(model, with_mask=True)


def test_a_step_and_a_prediction_of_label_maps() -> None:
    model = build(load(LABEL_MAPS))
    model.init_weights()
    size = (64, 96)
    sample = SegDataSample(metainfo=dict(img_shape=size, ori_shape=(50, 75)))
    labels = torch.full((1, *size), 255)
    labels[:, 10:30], labels[:, 40:] = 0, 149
    sample.gt_sem_seg = PixelData(data=labels)
    losses = model.loss(torch.randn(2, 3, *size), [sample, sample])
    assert {'decode.loss_cls', 'decode.loss_mask', 'decode.d0.loss_dice'} <= set(losses)
    check_step(model, losses)
    with torch.no_grad():
        (found,) = model.eval().predict(torch.randn(1, 3, *size), [sample])
    assert found.seg_logits.data.shape == (150, 50, 75)


def test_a_data_folder_sets_the_classes_of_instances(tmp_path: Path) -> None:
    model = build(load(INSTANCES, data=write_data(tmp_path)))
    head, fusion = model.panoptic_head, model.panoptic_fusion_head
    assert (head.num_classes, fusion.num_things_classes, fusion.num_stuff_classes) == (2, 2, 0)
    assert head.class_weight == [1.0, 1.0, 0.1]
    assert head.cls_embed.out_features == 3


def test_a_data_folder_sets_the_classes_of_label_maps(tmp_path: Path) -> None:
    config = load(LABEL_MAPS, data=write_folder(tmp_path))
    head = build(config).decode_head
    classes = len(config.train_dataloader.dataset.metainfo.classes)
    assert head.num_classes == classes != 150
    assert head.class_weight == [1.0] * classes + [0.1]
    assert head.mask_embed[-1].out_features == 256, 'masks have features, not classes'


@pytest.mark.parametrize('name', HEADS)
def test_what_is_compiled_ends_before_the_queries(name: str) -> None:
    """Their head also takes the images' sizes; `deploy` folds what comes before it."""
    model = build(load(name)).eval()
    assert list(tensor_parts(model)) == ['backbone']
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = model.extract_feat(x)
        for ours, theirs in zip(deploy(model).extract_feat(x), before, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_trains_and_tests_on_a_data_folder(tmp_path: Path, quiet_loggers: None) -> None:
    data = write_data(tmp_path / 'data')
    words = ['--data', data, '--work-dir', tmp_path / 'run', '--backbone', 'lite0']
    words += ['--weights', 'none', '--image-size', 64, '--epochs', 1, '--batch-size', 2]
    words += ['--workers', 0]
    changes = as_arguments({**small(INSTANCES), 'model.test_cfg.max_per_image': 20})
    assert call('train', INSTANCES, *words, *changes) == 0
    (log,) = (tmp_path / 'run').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
    assert all(math.isfinite(line['loss_mask']) for line in lines if 'loss' in line)
    assert call('test', tmp_path / 'run') == 0
    newest = max((tmp_path / 'run').glob('*/*.json'), key=lambda path: path.stat().st_mtime_ns)
    found = json.loads(newest.read_text(encoding='utf-8').splitlines()[-1])
    assert 0 <= found['coco/segm_mAP'] <= 1
