"""Validation, tests and switched pipelines load images as training does."""

from __future__ import annotations

from typing import Any

from effnet_dense.engine.checks.loading import loading_warnings
from effnet_dense.engine.config import load_config
from tests.helpers.tiny_models import DETECTOR


def warnings(name: str = DETECTOR, **options: Any) -> list[str]:
    values = {key.replace('__', '.'): value for key, value in options.items()}
    return loading_warnings(load_config(name, options=values))


def test_shipped_configs_load_alike() -> None:
    for name in (DETECTOR, 'effnet_b0_rtmdet_ins_coco', 'effnet_lite0_fpn_camvid'):
        assert warnings(name) == []
        everywhere = {
            f'{loop}_dataloader__dataset__pipeline__0__image_range': 4095
            for loop in ('train', 'val', 'test')
        }
        if 'rtmdet' in name:
            everywhere['custom_hooks__1__switch_pipeline__0__image_range'] = 4095
        assert warnings(name, **everywhere) == []


def test_a_range_of_training_alone() -> None:
    first, second = warnings(train_dataloader__dataset__pipeline__0__image_range=4095)
    assert first.startswith('val_dataloader.dataset.pipeline.0 loads images with image_range=None')
    assert 'training with 4095 (train_dataloader.dataset.pipeline.0)' in first
    assert second.startswith('test_dataloader')


def test_pipelines_that_hooks_switch_to() -> None:
    options = {
        f'{loop}_dataloader__dataset__pipeline__0__image_range': (0, 4095)
        for loop in ('train', 'val', 'test')
    }
    (line,) = warnings('effnet_b0_rtmdet_ins_coco', **options)
    assert line.startswith('custom_hooks.1.switch_pipeline.0 loads images with image_range=None')


def test_orientation() -> None:
    lines = warnings(val_dataloader__dataset__pipeline__0__color_type='color_ignore_orientation')
    assert len(lines) == 1 and "color_type='color_ignore_orientation'" in lines[0]


def test_configs_without_training() -> None:
    assert loading_warnings({'test_dataloader': {'dataset': {'pipeline': []}}}) == []
