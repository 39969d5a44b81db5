"""The table of exported models: its conditions, and small models of each kind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from benchmarks.exports import ROUNDED, Subject, compare, rounded, shipped, subject, verdict
from effnet_dense.exporting.input_size import input_size
from tests.helpers.tiny_models import mask_rcnn, rtmdet


def images(count: int = 3) -> list[Any]:
    draw = np.random.default_rng(0)
    return [draw.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(count)]


def test_side_is_that_of_every_step() -> None:
    config = shipped('effnet_b0_rtmdet_ins_coco', 96)
    steps = config.test_dataloader.dataset.pipeline
    assert {tuple(s.get('scale', s.get('size'))) for s in steps[1:3]} == {(96, 96)}
    assert input_size(config) == (96, 96)
    config = shipped('effnet_lite0_fpn_camvid', 96)
    assert config.model.data_preprocessor.size == (96, 96)


def test_weights_are_rounded_as_files_store_them() -> None:
    layer = nn.Conv2d(64, 2, 1, bias=False)
    values = torch.full((2, 64, 1, 1), 0.5)
    values[:, 0], values[1, 1] = 127.0, 1.4 + 2**-12
    layer.weight.data = values
    found = {name: rounded(nn.Sequential(layer), ROUNDED[name])[0].weight for name in ROUNDED}
    assert found['fp16'][1, 1] == values[1, 1].half().float() != values[1, 1]
    assert found['int8-weights'][1, 1] == 1.0 and found['int8-weights'][1, 0] == 127.0
    second = nn.ModuleDict({'roi_head': layer})
    assert torch.equal(rounded(second, ROUNDED['fp16'])['roi_head'].weight, values)


def test_int8_is_refused_without_an_export(tmp_path: Path) -> None:
    model = subject(rtmdet(), images(), tmp_path)
    found = verdict(model, 'onnx', 'int8', (1,), tmp_path)
    assert found.startswith('refused: int8 is for single-stage detectors without masks')


def test_a_format_that_is_not_installed_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'openvino', None)
    model = Subject(Config(), (64, 64), tmp_path / 'model.pth', [])
    for precision in ('fp32', 'int8'):
        found = verdict(model, 'openvino', precision, (1,), tmp_path)
        assert found.startswith('absent: OpenVINO files need OpenVINO')


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'precision'), [('rtmdet', 'int8-weights'), ('panoptic', 'fp32')])
def test_small_models(name: str, precision: str, tmp_path: Path) -> None:
    config = rtmdet() if name == 'rtmdet' else mask_rcnn('effnet_b3_panoptic_fpn_coco')
    model = subject(config, images(), tmp_path)
    found = compare(model, 'onnx', precision, (1, 3), tmp_path)
    assert found.total > 20 and found.validated
