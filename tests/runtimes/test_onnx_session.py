"""Opening and running ONNX files; every wrong file and input is one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from effnet_dense.runtimes.onnx_session import OnnxSession
from tests.helpers.exported_files import METADATA, identity

SIZES = np.ones((2, 2), np.float32)


def test_runs_any_number_of_images(tmp_path: Path) -> None:
    session = OnnxSession(identity(tmp_path / 'a.onnx'))
    assert session.metadata == METADATA
    for count in (1, 3):
        images = np.random.default_rng(0).random((count, 3, 32, 64), np.float32)
        np.testing.assert_array_equal(session(images)['logits'], images)


@pytest.mark.parametrize(
    ('shape', 'dtype', 'got'),
    [
        ((1, 3, 32, 32), np.float32, r'got \(1, 3, 32, 32\) of float32'),
        ((1, 3, 32, 64), np.float64, r'got \(1, 3, 32, 64\) of float64'),
        ((3, 32, 64), np.float32, r'got \(3, 32, 64\) of float32'),
        ((1, 4, 32, 64), np.float32, r'got \(1, 4, 32, 64\)'),
    ],
)
def test_wrong_images(tmp_path: Path, shape: tuple[int, ...], dtype: type, got: str) -> None:
    session = OnnxSession(identity(tmp_path / 'a.onnx'))
    with pytest.raises(ValueError, match=rf'expected images \(N, 3, 32, 64\) of float32, {got}'):
        session(np.zeros(shape, dtype), SIZES)  # type: ignore[arg-type]


def test_wrong_number_of_images(tmp_path: Path) -> None:
    session = OnnxSession(identity(tmp_path / 'a.onnx', batch=2))
    with pytest.raises(ValueError, match='expected 2 images per pass, got 1'):
        session(np.zeros((1, 3, 32, 64), np.float32), SIZES)


def test_wrong_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = identity(tmp_path / 'a.onnx')
    with pytest.raises(FileNotFoundError, match='no ONNX file'):
        OnnxSession(tmp_path / 'b.onnx')
    half = tmp_path / 'half.onnx'
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        ValueError, match=r'half.onnx is damaged or is not an ONNX file: Protobuf parsing failed'
    ):
        OnnxSession(half)
    foreign, model = tmp_path / 'foreign.onnx', onnx.load(str(path))
    del model.metadata_props[:]
    onnx.save(model, str(foreign))
    with pytest.raises(ValueError, match='has no metadata of effnet_dense: expected a file that'):
        OnnxSession(foreign)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match=r"pip install 'effnet_dense\[onnx\]'"):
        OnnxSession(path)
