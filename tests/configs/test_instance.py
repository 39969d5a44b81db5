"""Instance and panoptic segmentation: a step of every config, and both tools on tiny datasets."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.models.detectors import PanopticFPN
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.structures import PixelData
from pycocotools import mask as rle

from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.engine.config import load_config
from effnet_dense.evaluation import drawing
from tests.helpers.build import FOLDER, build
from tests.helpers.model_checks import check_detector, check_step
from tests.helpers.panoptic_data import (
    QUALITY,
    SIZE,
    in_place_of_coco,
    landscape,
    predictions,
    things,
    write_panoptic,
)
from tests.helpers.stock_config import stock_config
from tests.helpers.tiny import as_arguments, options
from tests.helpers.tool import call

FINETUNE = 'effnet_lite0_mask_rcnn_finetune'
MOSAIC = 'effnet_b0_rtmdet_ins_coco'
PANOPTIC = 'effnet_b3_panoptic_fpn_coco'
INSTANCE = [
    'effnet_b0_mask_rcnn_coco',
    'effnet_b3_mask_rcnn_coco',
    'effnet_b0_mask_rcnn_bifpn_coco',
    'effnet_b3_mask_rcnn_bifpn_coco',
    MOSAIC,
    FINETUNE,
]
# Narrow heads and few regions run the same code in a fraction of the time.
FEW = {
    'model.roi_head.bbox_head.fc_out_channels': 16,
    'model.roi_head.mask_head.num_convs': 1,
    'model.train_cfg.rpn_proposal.max_per_img': 20,
    'model.test_cfg.rpn.max_per_img': 20,
    'model.test_cfg.rcnn.score_thr': 0.0,
    'model.test_cfg.rcnn.max_per_img': 5,
    'default_hooks.visualization.score_thr': 0.0,
    'train_cfg.val_interval': 1,
}


def load(name: str, **kwargs: Any) -> Config:
    return load_config(FOLDER / f'{name}.py', **kwargs)


def metrics(work_dir: Path) -> dict[str, float]:
    """The metrics of a work folder's last test."""
    newest = max(work_dir.glob('*/*.json'), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(newest.read_text(encoding='utf-8').splitlines()[-1])


@pytest.mark.parametrize('name', [*INSTANCE, PANOPTIC])
def test_neck_and_heads_fit_the_backbone(name: str) -> None:
    model = build(load(name))
    check_channels(model)
    assert model.with_mask or name == MOSAIC  # its bbox_head predicts the masks


@pytest.mark.parametrize('name', INSTANCE)
def test_a_step_and_a_prediction(name: str) -> None:
    model = load(name).model
    model.backbone.init_cfg = None
    for augment in model.data_preprocessor.get('batch_augments', []):
        augment.size = (128, 128)
    check_detector(model, with_mask=True)


@pytest.mark.parametrize('name', [name for name in (*INSTANCE, PANOPTIC) if name != MOSAIC])
def test_masks_are_loaded_padded_and_evaluated(name: str) -> None:
    config = load(name)
    preprocessor = config.model.data_preprocessor
    assert preprocessor.pad_mask
    (augment,) = preprocessor.batch_augments
    assert augment.pad_mask
    _, load_annotations, _, crop, *_ = config.train_dataloader.dataset.pipeline
    assert augment.size == crop.crop_size
    if name == PANOPTIC:
        assert augment.pad_seg and preprocessor.pad_seg
        assert augment.seg_pad_value == preprocessor.seg_pad_value == 255
        assert config.model.semantic_head.loss_seg.ignore_index == 255
    else:
        assert load_annotations.with_mask
        assert config.val_evaluator.metric == config.test_evaluator.metric == ['bbox', 'segm']


@pytest.mark.slow
def test_mask_rcnn_trains_and_tests_on_a_data_folder(tiny_data: Path, tmp_path: Path) -> None:
    small = as_arguments({**options(), **FEW})
    words = ['--data', tiny_data, '--work-dir', tmp_path, *small]
    assert call('train', FINETUNE, *words) == 0
    pictures, out = tmp_path / 'pictures', tmp_path / 'found.pkl'
    shown = ['--show-dir', pictures, '--out', out]
    assert call('test', FINETUNE, tmp_path / 'epoch_1.pth', *words, *shown) == 0
    found = metrics(tmp_path)
    for key in ('coco/bbox_mAP', 'coco/segm_mAP'):
        assert 0 <= found[key] <= 1

    for sample in pickle.loads(out.read_bytes()):
        instances = sample['pred_instances']
        assert 0 < len(instances['masks']) == len(instances['labels']) <= 5
        assert all(rle.decode(mask).shape == (SIZE, SIZE) for mask in instances['masks'])
        assert set(instances['labels'].tolist()) <= {0, 1}
    assert cv2.imread(str(pictures / '0.png')).shape == (SIZE, 2 * SIZE, 3)


def test_rtmdet_recipe_equals_mmdets() -> None:
    """mmdet 3.3, configs/rtmdet/rtmdet-ins_s_8xb32-300e_coco.py; only backbone and neck differ."""
    ours = load(MOSAIC)
    theirs = stock_config('mmdet::rtmdet/rtmdet-ins_s_8xb32-300e_coco.py')
    for key in ('train_cfg', 'test_cfg'):
        assert ours.model[key] == theirs.model[key]
    assert ours.model.bbox_head == theirs.model.bbox_head
    assert ours.param_scheduler == theirs.param_scheduler
    for key in ('optimizer', 'paramwise_cfg'):
        assert ours.optim_wrapper[key] == theirs.optim_wrapper[key]
    for key in ('max_epochs', 'val_interval', 'dynamic_intervals'):
        assert ours.train_cfg[key] == theirs.train_cfg[key]
    assert ours.train_dataloader.batch_size == theirs.train_dataloader.batch_size
    average, switch = ours.custom_hooks
    assert average == theirs.custom_hooks[0]
    assert switch.switch_epoch == theirs.custom_hooks[1].switch_epoch
    for mine, other in (
        (ours.train_dataloader.dataset.pipeline, theirs.train_dataloader.dataset.pipeline),
        (switch.switch_pipeline, theirs.custom_hooks[1].switch_pipeline),
    ):
        assert [{**a, 'type': a['type'].removeprefix('effnet_dense.')} for a in mine] == other


@pytest.mark.slow
def test_rtmdet_trains_with_mosaics_and_without(tiny_data: Path, tmp_path: Path) -> None:
    """Two epochs with the pipeline switched after the first; tests the averaged weights."""
    size, pipeline = (SIZE, SIZE), 'train_dataloader.dataset.pipeline'
    switched = 'custom_hooks.1.switch_pipeline'
    small = {
        'model.backbone.init_cfg': None,
        'model.backbone.norm_eval': False,
        f'{pipeline}.2.img_scale': size,
        f'{pipeline}.3.scale': (2 * SIZE, 2 * SIZE),
        f'{pipeline}.4.crop_size': size,
        f'{pipeline}.7.size': size,
        f'{pipeline}.8.img_scale': size,
        'custom_hooks.1.switch_epoch': 1,
        f'{switched}.2.scale': size,
        f'{switched}.3.crop_size': size,
        f'{switched}.7.size': size,
        'train_dataloader.batch_size': 2,
        'train_cfg.max_epochs': 2,
        'default_hooks.logger.interval': 1,
        'model.test_cfg.score_thr': 0.0,
    }
    for loop in ('train', 'val', 'test'):
        small[f'{loop}_dataloader.num_workers'] = 0
        small[f'{loop}_dataloader.persistent_workers'] = False
        if loop != 'train':
            small[f'{loop}_dataloader.dataset.pipeline.1.scale'] = size
            small[f'{loop}_dataloader.dataset.pipeline.2.size'] = size
    words = ['--data', tiny_data, '--work-dir', tmp_path, *as_arguments(small)]
    assert call('train', MOSAIC, *words) == 0
    (log,) = tmp_path.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
    losses = [line['loss_mask'] for line in lines if 'loss_mask' in line]
    assert len(losses) == 4
    assert all(math.isfinite(loss) for loss in losses)
    assert call('test', MOSAIC, tmp_path / 'epoch_2.pth', *words) == 0
    assert 0 <= metrics(tmp_path)['coco/segm_mAP'] <= 1


@pytest.fixture(scope='module')
def panoptic_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images in COCO's panoptic layout."""
    return write_panoptic(tmp_path_factory.mktemp('panoptic'))


def small_panoptic(root: Path) -> dict[str, Any]:
    """`--cfg-options` of Panoptic FPN on the tiny dataset."""
    limit = {'model.test_cfg.panoptic.stuff_area_limit': 16}
    return {**options(batch=1), **FEW, **limit, **in_place_of_coco(root)}


def test_panoptic_annotations_are_loaded(panoptic_data: Path) -> None:
    config = load(PANOPTIC, options=small_panoptic(panoptic_data))
    build(config)  # sets the scope
    first, second = DATASETS.build(config.val_dataloader.dataset)
    label_map = np.zeros((SIZE, SIZE), int)
    for label, mask in landscape().items():
        label_map[mask] = label
    assert (first['data_samples'].gt_sem_seg.sem_seg.numpy() == label_map).all()
    assert len(first['data_samples'].gt_instances) == 0
    instances = second['data_samples'].gt_instances
    segments = {label: mask for label, mask in things().items() if label < 80}
    assert instances.labels.tolist() == list(segments)
    assert (instances.masks.masks == np.stack(list(segments.values()))).all()
    assert instances.bboxes.tensor.tolist() == [[8, 8, 24, 24], [40, 40, 56, 48]]


def test_a_panoptic_step(panoptic_data: Path) -> None:
    config = load(PANOPTIC, options=small_panoptic(panoptic_data))
    model = build(config)
    model.init_weights()
    (item,) = DATASETS.build(config.train_dataloader.dataset)  # drops the image without things
    batch = {key: [item[key]] * 2 for key in item}
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    assert {'loss_seg', 'loss_mask', 'loss_rpn_cls'} <= set(losses)
    check_step(model, losses)


@pytest.mark.slow
def test_panoptic_fpn_trains_and_tests(
    panoptic_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = as_arguments(small_panoptic(panoptic_data))
    words = ['--work-dir', tmp_path, *small]
    assert call('train', PANOPTIC, *words) == 0
    (log,) = tmp_path.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
    assert all(math.isfinite(line['loss_seg']) for line in lines if 'loss' in line)
    assert any('coco_panoptic/PQ' in line for line in lines)

    known = predictions()

    def predict(self: Any, inputs: Any, samples: list[Any], rescale: bool = True) -> list[Any]:
        for sample in samples:
            found = torch.from_numpy(known[Path(sample.img_path).name][None])
            sample.pred_panoptic_seg = PixelData(sem_seg=found)
        return samples

    monkeypatch.setattr(PanopticFPN, 'predict', predict)
    # In images as small as these, captions would cover the pixels that are compared below.
    monkeypatch.setattr(drawing, 'draw_captions', lambda image, *_, **__: image)
    pictures = tmp_path / 'pictures'
    shown = ['--show-dir', pictures]
    assert call('test', PANOPTIC, tmp_path / 'epoch_1.pth', *words, *shown) == 0
    found = {
        key.removeprefix('coco_panoptic/'): value
        for key, value in metrics(tmp_path).items()
        if key.startswith('coco_panoptic/')
    }
    assert found == pytest.approx(QUALITY)
    drawn = [cv2.imread(str(path)) for path in sorted(pictures.glob('*.jpg'))]
    assert [image.shape for image in drawn] == [(SIZE, 2 * SIZE, 3)] * 2
    original = cv2.imread(str(panoptic_data / 'val2017' / '000000000002.jpg'))
    # No car was predicted in its place; the thin margin around it belongs to the sky's outline.
    difference = cv2.absdiff(drawn[1][:, SIZE:], original)[42:46, 42:54]
    assert difference.mean() < 3, 'pixels without a segment are drawn as one'
