"""Arguments against signatures, for shipped configs and in single cases."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.config import Config

from effnet_dense.engine.checks.arguments import check_arguments, check_train_loop
from effnet_dense.engine.config import load_config, shipped_configs
from tests.helpers.stock_config import stock_config


@pytest.mark.parametrize('name', shipped_configs())
def test_shipped_configs_are_accepted(name: str) -> None:
    check_arguments(load_config(name))


@pytest.mark.parametrize(
    'name',
    [
        'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
        'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
        'mmdet::yolox/yolox_s_8xb8-300e_coco.py',
        'mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py',
    ],
)
def test_stock_configs_are_accepted(name: str) -> None:
    check_arguments(stock_config(name))


@pytest.mark.parametrize(
    ('loop', 'words'),
    [
        (dict(by_epoch=True, max_epochs='x'), 'max_epochs must be a whole number'),
        (dict(type='IterBasedTrainLoop', max_iters=0), 'max_iters must be'),
        (dict(by_epoch=True, max_epochs=True), 'max_epochs'),
        (dict(by_epoch=True, max_epochs=3, val_begin=-1), 'val_begin'),
    ],
)
def test_loops(loop: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_train_loop(loop)


def test_loops_and_types_of_others_are_left_alone() -> None:
    check_train_loop(dict(type='TheirLoop', rounds=0))
    check_train_loop(dict(by_epoch=True, max_epochs=3.0, dynamic_intervals=[(2, 1)]))
    check_arguments(Config(dict(custom_hooks=[dict(type='NoSuchHook', a=1)])))


def test_a_constructor_that_passes_arguments_on() -> None:
    evaluator = dict(type='CocoMetric', ann_file='x', metrik='bbox')
    with pytest.raises(ValueError, match=r"val_evaluator\.0\.metrik='bbox'.*mean metric"):
        check_arguments(Config(dict(default_scope='mmdet', val_evaluator=[evaluator])))
