"""Models exported to LiteRT predict what PyTorch predicts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.exporting import export, litert_format
from effnet_dense.exporting.litert_file import LitertParts
from effnet_dense.exporting.precision import stored
from effnet_dense.inference import Predictor
from effnet_dense.runtimes.litert_session import LitertSession
from tests.helpers.exported_models import IMAGES, Files, checkpoints, same_detections
from tests.helpers.tiny_models import mask_rcnn, rtmdet, saved

NEEDS = 'needs tools/environment.sh litert'


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    pytest.importorskip('litert_torch', reason=NEEDS)
    return checkpoints(tmp_path_factory.mktemp('checkpoints'))


@pytest.mark.slow
@pytest.mark.parametrize('name', ['retinanet', 'efficientdet'])
def test_detections(files: Files, name: str, tmp_path: Path) -> None:
    config, checkpoint = files[name]
    path = export(config, str(checkpoint), tmp_path / 'model.tflite', format='litert')
    same_detections(Predictor(config, checkpoint, 'cpu'), Predictor(path))
    metadata = LitertSession(path).metadata
    assert (metadata.post, metadata.batch, metadata.layout) == ('dense', 1, 'NHWC')
    assert list(metadata.outputs) == ['boxes', 'logits'] and metadata.levels
    pytest.importorskip('ai_edge_quantizer', reason=NEEDS)
    parts = LitertParts(path.read_bytes(), ['boxes', 'logits'], {})
    half = stored(parts, replace(metadata, precision='fp16'), 'litert')
    assert len(half.joined()) < 0.6 * len(parts.network)


@pytest.mark.slow
def test_label_maps(files: Files, tmp_path: Path) -> None:
    config, checkpoint = files['fpn']
    given: dict[str, Any] = dict(size=(64, 64), batch=2, format='litert')
    path = export(config, str(checkpoint), tmp_path / 'a.tflite', **given)
    pytorch, exported = Predictor(config, checkpoint, 'cpu'), Predictor(path)
    for expected, sample in zip(pytorch(IMAGES), exported(IMAGES, 3), strict=True):
        same = expected.pred_sem_seg.data == sample.pred_sem_seg.data
        assert same.float().mean() > 0.999
        assert len(expected.pred_sem_seg.data.unique()) > 1
    assert LitertSession(path).metadata.batch == 2


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert_format, 'check', lambda *_: None)
    out, reason = tmp_path / 'a.tflite', 'cannot be exported as litert, whose files stop at the pr'
    for config, name in ((rtmdet(), 'RTMDet'), (mask_rcnn(), 'MaskRCNN')):
        checkpoint = str(saved(config, tmp_path / 'x.pth'))
        with pytest.raises(ValueError, match=f'^{name} {reason}'):
            export(config, checkpoint, out, format='litert')
    assert not out.exists()


def test_wrong_names_and_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"a name with \.tflite, got '.*a\.onnx'"):
        litert_format.check(tmp_path / 'a.onnx', 'fp32')
    monkeypatch.setitem(sys.modules, 'litert_torch', None)
    with pytest.raises(ImportError, match=r'environment of their own: bash tools/environment\.sh'):
        litert_format.check(tmp_path / 'a.tflite', 'fp32')
