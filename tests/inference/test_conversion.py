"""A predictor that changes from PyTorch to ONNX Runtime after some images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import effnet_dense
from effnet_dense.inference import Predictor, conversion
from effnet_dense.inference.exported import ExportedModel
from effnet_dense.inference.tiles import Tiling
from tests.helpers.tiny_models import detector, saved, segmentor

pytest.importorskip('onnxruntime', reason='the extra onnx is not installed')
pytest.importorskip('onnxscript', reason='the extra onnx is not installed')

IMAGES = list(np.random.default_rng(0).integers(0, 256, (4, 40, 50, 3), dtype=np.uint8))


@pytest.fixture(autouse=True)
def after_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, 'PAYS_AFTER', 2)


def test_the_third_image_is_predicted_by_a_converted_file(tmp_path: Path) -> None:
    checkpoint = saved(segmentor(), tmp_path / 'best.pth')
    expected = Predictor(segmentor(), checkpoint, runtime='pytorch')(IMAGES)
    predictor = Predictor(segmentor(), checkpoint)
    found = [predictor(image) for image in IMAGES[:2]]
    assert not isinstance(predictor.model, ExportedModel) and len(list(tmp_path.iterdir())) == 1
    found += predictor(IMAGES[2:])
    assert isinstance(predictor.model, ExportedModel) and len(list(tmp_path.iterdir())) == 2
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.pred_sem_seg.data, other.pred_sem_seg.data)


@pytest.mark.parametrize('fault', [ValueError('it has no graph'), OSError('disk full')])
def test_a_failure_is_logged_once(
    fault: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = []

    def fail(*given: Any, **_: Any) -> None:
        raise fault

    monkeypatch.setattr(effnet_dense, 'export', fail)
    monkeypatch.setattr(conversion, 'print_log', lambda text, *_, **__: logged.append(text))
    checkpoint = saved(segmentor(), tmp_path / 'best.pth')
    predictor = Predictor(segmentor(), checkpoint)
    assert len(predictor([*IMAGES, *IMAGES])) == 8
    assert not isinstance(predictor.model, ExportedModel)
    assert len(logged) == 2 and logged[1] == f'best.pth stays with PyTorch: {fault}'
    assert list(tmp_path.iterdir()) == [checkpoint]


@pytest.mark.parametrize(
    'arguments', [dict(device='cpu'), dict(deploy=True), dict(runtime='pytorch')]
)
def test_who_chooses_keeps_pytorch(arguments: dict[str, Any], tmp_path: Path) -> None:
    checkpoint = saved(segmentor(), tmp_path / 'best.pth')
    predictor = Predictor(segmentor(), checkpoint, **arguments)
    predictor(IMAGES)
    assert not isinstance(predictor.model, ExportedModel)


def test_tiles_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    monkeypatch.setattr(conversion.Conversion, 'before', lambda _, images: counted.append(images))
    predictor = Predictor(detector(), saved(detector(), tmp_path / 'best.pth'), tiling=Tiling(32))
    predictor(IMAGES[:3], batch_size=2)
    assert counted == [2 + 2 * 4, 1 + 4]


def test_other_sizes_stay_with_pytorch(tmp_path: Path) -> None:
    config = segmentor()
    del config.model.data_preprocessor.test_cfg
    predictor = Predictor(config, saved(config, tmp_path / 'best.pth'))
    predictor(IMAGES)
    assert not isinstance(predictor.model, ExportedModel)
    assert len(list(tmp_path.iterdir())) == 1
