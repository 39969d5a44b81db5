"""From data to a quantised file with its accuracy, and mistakes that are known at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from effnet_dense.exporting import export, onnx_format
from effnet_dense.exporting.onnx_file import Parts
from effnet_dense.exporting.precision import check_precision
from effnet_dense.inference import Predictor
from effnet_dense.runtimes.session import open_session
from tests.helpers.small_network import COLOURS, brightest, write_coloured
from tests.helpers.tiny_models import saved, segmentor

NAMES = ('red', 'green', 'blue')
SIZE = (64, 96)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a segmentor of three classes."""
    return saved(segmentor(), tmp_path_factory.mktemp('checkpoint') / 'fpn.pth', NAMES)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the segmentor by a network that knows colours, in the time of tracing one."""
    monkeypatch.setattr(onnx_format, 'whole_parts', lambda *_: Parts(brightest(*SIZE)))


@pytest.mark.parametrize('form', ['onnx', 'openvino'])
def test_int8(form: str, checkpoint: Path, traced: None, tmp_path: Path) -> None:
    if form == 'openvino':
        pytest.importorskip('nncf')
    data = write_coloured(tmp_path / 'data')
    out = tmp_path / ('a.onnx' if form == 'onnx' else 'a')
    config = segmentor()
    given: dict[str, Any] = dict(size=SIZE, format=form, precision='int8', data=data)
    path = export(config, str(checkpoint), out, **given)
    metadata = open_session(path).metadata
    assert metadata.precision == 'int8' and metadata.version
    assert metadata.accuracy == dict(
        metric='mIoU', fp32=100.0, int8=100.0, images=2, float_layers=[]
    )
    image = COLOURS[np.arange(3).repeat(32)[None].repeat(64, 0)]
    labels = Predictor(path)(image).pred_sem_seg.data[0].numpy()
    np.testing.assert_array_equal(labels, np.arange(3).repeat(32)[None].repeat(64, 0))
    assert sorted(tmp_path.iterdir()) == sorted([out, tmp_path / 'data'])  # nothing else is left


def test_data_of_other_classes(checkpoint: Path, traced: None, tmp_path: Path) -> None:
    data = write_coloured(tmp_path / 'data')
    table = data / 'classes.json'
    table.write_text('{"classes": ["red", "blue", "green"]}', encoding='utf-8')
    given: dict[str, Any] = dict(size=SIZE, precision='int8', data=data)
    with pytest.raises(ValueError, match=r'classes of the model, red, green, blue, .*, got red, b'):
        export(segmentor(), str(checkpoint), tmp_path / 'a.onnx', **given)
    assert not (tmp_path / 'a.onnx').exists()


@pytest.mark.parametrize('precision', ['fp16', 'int8-weights'])
def test_stored(precision: str, checkpoint: Path, traced: None, tmp_path: Path) -> None:
    out = tmp_path / 'a.onnx'
    path = export(segmentor(), str(checkpoint), out, size=SIZE, precision=precision)
    assert open_session(path).metadata.precision == precision


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        (('int4', None, None), "one of fp32, fp16, int8, int8-weights, got 'int4'"),
        (('fp16', 'data', None), 'data is for precision int8 only, got it with fp16'),
        (('fp32', None, 0.01), 'max_drop is for precision int8 only, got it with fp32'),
        (('int8', None, 1.5), r'max_drop of at least 0 and below 1, got 1\.5'),
    ],
)
def test_mistakes(given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_precision(*given)


def test_missing_data(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        export(segmentor(), str(checkpoint), tmp_path / 'a.onnx', precision='int8')
