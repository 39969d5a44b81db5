"""Modern detection heads on our backbones: mmdet's heads and recipes, a step and a prediction."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine import MessageHub

from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.engine.config import load_config
from tests.helpers.build import build
from tests.helpers.model_checks import check_detector
from tests.helpers.stock_config import stock_config
from tests.helpers.tiers import slow_except

ONE_STAGE = ('atss', 'gfl', 'tood')
NAMES = [
    'effnet_b0_rtmdet_coco',
    'effnet_b3_rtmdet_coco',
    *(f'effnet_b0_{head}_coco' for head in ONE_STAGE),
    'effnet_b3_dino_coco',
]
DINO = 'effnet_b3_dino_coco'
WIDTHS = ('in_channels', 'feat_channels')


def stock(name: str) -> Any:
    """mmdet's own config of the head."""
    head = name.split('_')[2]
    paths = dict(rtmdet='s_8xb32-300e', dino='-4scale_r50_8xb2-12e')
    middle = paths.get(head, '_r50_fpn_1x')
    return stock_config(f'mmdet::{head}/{head}{"_" * (head == "rtmdet")}{middle}_coco.py')


def without(values: Any, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}


@pytest.mark.parametrize('name', NAMES)
def test_head_losses_and_thresholds_are_mmdets(name: str) -> None:
    ours, theirs = load_config(name).model, stock(name).model
    differ = list(WIDTHS)
    differ += ['norm_cfg'] if 'rtmdet' in name else []
    differ += ['exp_on_reg'] if name == 'effnet_b3_rtmdet_coco' else []
    assert ours.type.removeprefix('effnet_dense.') == theirs.type
    assert without(ours.bbox_head, *differ) == without(theirs.bbox_head, *differ)
    assert ours.train_cfg == theirs.train_cfg
    assert ours.test_cfg == theirs.test_cfg


@pytest.mark.parametrize('head', ONE_STAGE)
def test_rate_is_mmdets_for_as_many_images(head: str) -> None:
    ours, theirs = load_config(f'effnet_b0_{head}_coco'), stock(f'effnet_b0_{head}_coco')
    for config in (ours, theirs):
        base = config.auto_scale_lr.base_batch_size
        assert config.optim_wrapper.optimizer.lr / base == 0.01 / 16
    assert without(ours.optim_wrapper.optimizer, 'lr') == without(
        theirs.optim_wrapper.optimizer, 'lr'
    )


def test_recipe_of_dino_is_mmdets() -> None:
    ours, theirs = load_config(DINO), stock(DINO)
    for key in ('encoder', 'decoder', 'positional_encoding', 'dn_cfg', 'num_queries'):
        assert ours.model[key] == theirs.model[key], key
    assert without(ours.model.neck, 'in_channels') == without(theirs.model.neck, 'in_channels')
    assert ours.param_scheduler == theirs.param_scheduler
    wrapper = ours.optim_wrapper
    assert wrapper.optimizer == theirs.optim_wrapper.optimizer
    assert wrapper.clip_grad == theirs.optim_wrapper.clip_grad
    assert wrapper.paramwise_cfg.custom_keys == theirs.optim_wrapper.paramwise_cfg.custom_keys
    assert ours.auto_scale_lr.base_batch_size == theirs.auto_scale_lr.base_batch_size
    check_pipelines(ours, theirs)


ALLOWED = 'allow_negative_crop'
"""Not in mmdet's RTMDet for boxes, whose crops without an object take another image's place."""


def test_recipe_of_rtmdet_is_mmdets() -> None:
    ours, theirs = load_config('effnet_b0_rtmdet_coco'), stock('effnet_b0_rtmdet_coco')
    check_pipelines(ours, theirs)
    average, switch = ours.custom_hooks
    assert average == theirs.custom_hooks[0]
    assert switch.switch_epoch == theirs.custom_hooks[1].switch_epoch
    last = theirs.custom_hooks[1].switch_pipeline
    assert [step.type.split('.')[-1] for step in switch.switch_pipeline] == [s.type for s in last]
    without = [{k: v for k, v in s.items() if k != ALLOWED} for s in switch.switch_pipeline[1:]]
    assert without == list(last[1:])


def check_pipelines(ours: Any, theirs: Any) -> None:
    """Compare the training pipelines but for our loading of images."""
    pairs = zip(
        ours.train_dataloader.dataset.pipeline,
        theirs.train_dataloader.dataset.pipeline,
        strict=True,
    )
    for a, b in pairs:
        step = {**a, 'type': a['type'].removeprefix('effnet_dense.')}
        step.pop(ALLOWED, None)
        assert step == b
    assert ours.train_dataloader.dataset.filter_cfg == theirs.train_dataloader.dataset.filter_cfg


@pytest.mark.parametrize('name', slow_except(NAMES, 'effnet_b0_rtmdet_coco'))
def test_neck_and_head_fit_the_backbone(name: str) -> None:
    check_channels(build(load_config(name)))


@pytest.mark.parametrize('epoch', [0, 11])
@pytest.mark.parametrize('name', slow_except(NAMES, 'effnet_b0_gfl_coco'))
def test_a_step_and_a_prediction(name: str, epoch: int) -> None:
    """TOOD assigns objects in another way from the fifth epoch on; others need no epoch."""
    if epoch and 'tood' not in name:
        pytest.skip('no epoch changes the losses')
    model = load_config(name).model
    model.backbone.init_cfg = None
    for augment in model.data_preprocessor.get('batch_augments', []):
        augment.size = (128, 128)
    if name == DINO:
        model.num_queries = 400  # more than the positions of these images
        for part in (model.encoder, model.decoder):
            part.num_layers = 1
            part.layer_cfg.ffn_cfg.feedforward_channels = 32
    hub = MessageHub.get_current_instance()
    before = hub.get_info('epoch')
    hub.update_info('epoch', epoch)
    try:
        check_detector(model, with_mask=False)
    finally:
        hub.update_info('epoch', before)
