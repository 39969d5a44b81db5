"""`effnet-dense export` and `predict` with its files: what they pass on, and a user's mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from effnet_dense.commands import export, predict, test
from effnet_dense.commands.program import run
from effnet_dense.exporting import formats, precision
from effnet_dense.inference import converted
from tests.helpers.exported_files import identity, identity_folder

DEFAULTS: dict[str, object] = dict(
    size=None,
    batch=None,
    post=None,
    format='onnx',
    precision='fp32',
    data=None,
    max_drop=None,
    multiple=None,
    mean=None,
    std=None,
)
"""Arguments of `export`."""


def test_arguments_reach_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    received: list[object] = []

    def record(*given: object, **options: object) -> Path:
        assert options.keys() == DEFAULTS.keys()
        changed = {name: value for name, value in options.items() if value != DEFAULTS[name]}
        received.append((*given, changed))
        return Path('out.onnx')

    monkeypatch.setattr('effnet_dense.exporting.export', record)
    words = ['--size', '64', '96', '--batch', '2', '--post', 'labels']
    assert run(export.main, export.parser(), [str(tmp_path), *words]) == 0
    changed = dict(size=(64, 96), batch=2, post='labels')
    assert received == [(str(tmp_path), None, tmp_path / 'model.onnx', changed)]
    assert 'effnet-dense predict out.onnx IMAGE' in capsys.readouterr().out
    words = ['efficientdet_d0_coco', 'x.pth', '--format', 'openvino', '--post', 'raw']
    words += ['--precision', 'int8', '--data', 'demo', '--max-drop', '0.05', '--multiple', '64']
    assert run(export.main, export.parser(), words) == 0
    changed = dict(format='openvino', post='raw', precision='int8', data='demo')
    changed |= dict(max_drop=0.05, multiple=64)
    assert received[1] == ('efficientdet_d0_coco', 'x.pth', Path('model_openvino'), changed)
    words = ['b0', 'x.pth', '--mean', '1', '2', '3', '--std', '4', '5', '6']
    assert run(export.main, export.parser(), words) == 0
    changed = dict(mean=[1, 2, 3], std=[4, 5, 6])
    assert received[2] == ('b0', 'x.pth', Path('model.onnx'), changed)
    assert 'IMAGE' not in capsys.readouterr().out


def test_formats() -> None:
    assert tuple(formats.OUT) == export.FORMATS
    assert precision.PRECISIONS == export.PRECISIONS
    assert (converted.AUTO, converted.PYTORCH, *converted.FORMATS) == predict.RUNTIMES


def test_a_name_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(export.main, export.parser(), ['nothing_such']) == 2
    assert "no work folder or checkpoint 'nothing_such'" in capsys.readouterr().err


@pytest.mark.parametrize('form', ['onnx', 'openvino'])
def test_predict_takes_the_file(tmp_path: Path, form: str) -> None:
    if form == 'openvino':
        pytest.importorskip('openvino')
        path = identity_folder(tmp_path / 'model_openvino')
    else:
        path = identity(tmp_path / 'a.onnx')
    image = tmp_path / 'b.png'
    values = np.random.default_rng(0).integers(0, 256, (20, 50, 3), dtype=np.uint8)
    Image.fromarray(values).save(image)
    assert run(predict.main, predict.parser(), [str(path), str(image)]) == 0
    assert any((tmp_path / 'predictions').rglob('b*'))


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ([], 'expected images, folders or videos after'),
        (['i.jpg', '--deploy'], 'is an exported file: it takes no --deploy'),
        (['i.jpg', '--runtime', 'openvino'], 'is an exported file: it takes no --runtime'),
        (['i.jpg', '--image-size', '64'], 'is an exported file: it takes no --image-size'),
    ],
)
def test_predicts_mistakes(
    tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = identity(tmp_path / 'a.onnx')
    assert run(predict.main, predict.parser(), [str(path), *words]) == 2
    assert message in capsys.readouterr().err


def test_the_test_command_takes_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[object] = []
    monkeypatch.setattr(
        'effnet_dense.inference.exported_testing.evaluate_exported',
        lambda config, *given: received.append((config.default_scope, *given)),
    )
    path = identity(tmp_path / 'a.onnx')
    assert run(test.main, test.parser(), ['effnet_lite0_fpn_camvid', str(path), '--tta']) == 0
    assert received == [('mmseg', path, None, None, False, True, False)]
    assert run(test.main, test.parser(), [str(path)]) == 2
    assert 'expected --data DIR' in capsys.readouterr().err
