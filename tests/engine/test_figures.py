"""Figures in one line."""

from __future__ import annotations

import math

import pytest
from torch import nn

from effnet_dense.engine.config import load_config
from effnet_dense.engine.figures import (
    classes_line,
    duration,
    metrics_line,
    millions,
    model_line,
    number,
    size_line,
)


def test_detection_says_box_once_and_a_dash_for_absent_sizes() -> None:
    names = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
    values = (0.0834, 0.2141, 0.05, -1.0, 0.151, 1.0)
    boxes = {f'coco/bbox_{name}': value for name, value in zip(names, values, strict=True)}
    text = 'box AP 0.083, AP50 0.214, AP75 0.050, small –, medium 0.151, large 1.000'
    assert metrics_line(boxes) == text
    assert metrics_line({**boxes, 'coco/segm_mAP': 0.5}) == f'{text}; mask AP 0.500'


def test_other_metrics() -> None:
    assert metrics_line({'aAcc': 91.26, 'mIoU': 54.0}) == 'mIoU 54.0 %, aAcc 91.3 %'
    assert metrics_line({'coco_panoptic/PQ': 45.3, 'own/x': math.nan}) == 'PQ 45.300, x –'
    assert metrics_line({f'own/{n}': n for n in range(10)}).endswith('7 7.000, …')
    assert metrics_line({}) == 'no results'
    assert number('x') == '–'


def test_many_classes_are_the_best_and_the_worst() -> None:
    few = [('car', 0.2), ('bus', 0.414), ('absent', math.nan)]
    assert classes_line('AP', few) == 'AP of classes: bus 0.41, car 0.20'
    many = [(f'c{n}', n / 100) for n in range(80)]
    assert classes_line('AP', many) == (
        'AP of 80 classes: best c79 0.79, c78 0.78, c77 0.77; worst c2 0.02, c1 0.01, c0 0.00'
    )
    assert classes_line('AP', []) == ''


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0, '0:00:00'),
        (569.6, '0:09:30'),
        (3599.4, '0:59:59'),
        (3600, '1:00:00'),
        (26 * 3600, '1 d 2:00:00'),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ('name', 'network'),
    [
        ('efficientdet_lite0_finetune', 'EfficientDet'),
        ('effnet_lite0_retinanet_finetune', 'RetinaNet'),
    ],
)
def test_a_detector_has_the_name_of_its_head(name: str, network: str) -> None:
    line = model_line(load_config(name), nn.Linear(1, 1))
    assert line == f'{network} on EfficientNet lite0, 2e-06 M parameters'


def test_parameters() -> None:
    assert [millions(n) for n in (123, 45600, 3_940_000)] == ['0.00012 M', '0.046 M', '3.9 M']


@pytest.mark.parametrize(
    ('config', 'size'),
    [
        ('effnet_lite0_retinanet_finetune', '320 × 320'),
        ('effnet_lite0_bifpn_camvid', '416 × 320'),
        ('effnet_b3_bifpn_cityscapes', '1024 × 512'),
    ],
)
def test_sizes_of_training_images(config: str, size: str) -> None:
    assert size_line(load_config(config)) == size
