"""Mask R-CNN on B7 with copy-paste: the released recipe, a step, a prediction, pasted samples."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmdet.registry import DATASETS
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.engine.config import load_config
from effnet_dense.settings import Settings
from tests.helpers.build import build
from tests.helpers.model_checks import check_detector
from tests.helpers.tiny import write_data

NAME = 'effnet_b7_mask_rcnn_copypaste_coco'
SIZE = 64


def test_recipe_is_the_released_one() -> None:
    """tensorflow/tpu, official/detection/projects/copy_paste/configs/maskrcnn_effb7_1024.yaml."""
    config = load_config(NAME)
    assert (config.train_cfg.max_iters, config.auto_scale_lr.base_batch_size) == (270_000, 256)
    optimizer = config.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('SGD', 0.32, 4e-5)
    warm_up, steps = config.param_scheduler
    assert optimizer.lr * warm_up.start_factor == pytest.approx(0.0032)
    assert (warm_up.end, warm_up.by_epoch) == (1000, False)
    assert (steps.milestones, steps.gamma) == ([243_000, 256_500, 263_250], 0.1)
    loading = config.train_dataloader.dataset.dataset.pipeline
    resize, crop = (step for step in loading if step.type in ('RandomResize', 'RandomCrop'))
    assert (resize.scale, resize.ratio_range) == ((1024, 1024), (0.1, 2.0))
    assert crop.crop_size == (1024, 1024)
    rois = config.model.roi_head
    assert (rois.bbox_head.num_shared_convs, rois.bbox_head.num_shared_fcs) == (4, 2)
    assert (rois.mask_head.num_convs, config.model.rpn_head.num_convs) == (4, 2)


def test_neck_heads_and_optimizer_fit_the_backbone() -> None:
    config = load_config(NAME, settings=Settings(weights='none'))
    model = build(config)
    check_channels(model)
    groups = build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups
    decayed = {len(p.shape) for g in groups if g['weight_decay'] for p in g['params']}
    assert decayed == {2, 4}, 'weights of layers, not norms and biases'


@pytest.mark.slow
def test_a_step_and_a_prediction() -> None:
    size = Settings(backbone='lite0', weights='none', image_size=(128, 128))
    check_detector(load_config(NAME, settings=size).model, with_mask=True)


@pytest.mark.parametrize('size', [SIZE, 2 * SIZE])
def test_samples_have_pasted_objects_and_one_size(size: int, tmp_path: Path) -> None:
    settings = Settings(image_size=(size, size))
    config = load_config(NAME, write_data(tmp_path), settings=settings)
    assert config.model.data_preprocessor.batch_augments[0].size == (size, size)
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(config.train_dataloader.dataset)
    largest = 0
    for index in [*range(len(dataset))] * 5:
        sample = dataset[index]
        instances = sample['data_samples'].gt_instances
        assert sample['inputs'].shape == (3, size, size)
        assert instances.masks.masks.shape == (len(instances.labels), size, size)
        largest = max(largest, len(instances.labels))
    assert largest > 2  # each image has two objects
