"""Accuracy by the package's own evaluators; tests/exporting/test_precision.py has the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from effnet_dense.engine.config import load_config
from effnet_dense.exporting.accuracy import measure
from effnet_dense.exporting.formats import write
from tests.helpers.exported_files import METADATA
from tests.helpers.small_network import brightest, write_coloured
from tests.helpers.tiny_models import segmentor


def test_a_network_that_errs(tmp_path: Path) -> None:
    data = write_coloured(tmp_path / 'data')
    config = load_config(segmentor(), data=data, work_dir=tmp_path / 'work')
    named = replace(METADATA, classes=['red', 'green', 'blue'], size=[64, 96])
    right, wrong = tmp_path / 'right.onnx', tmp_path / 'wrong.onnx'
    plain = dict(named.preprocessor, mean=[0.0] * 3, std=[1.0] * 3, size=[64, 96])
    write(brightest(64, 96), replace(named, preprocessor=plain), right, 'onnx')
    swapped = dict(plain, bgr_to_rgb=False)
    write(brightest(64, 96), replace(named, preprocessor=swapped), wrong, 'onnx')
    assert measure(right, config) == ('mIoU', 100.0, 2)
    assert 0 < measure(wrong, config).value < 50  # only green is found
    config.test_evaluator = dict(type='IoUMetric', iou_metrics=['mDice'])
    with pytest.raises(ValueError, match=r'the test_evaluator to give mIoU, got .*aAcc'):
        measure(right, config)
