"""CoreML runs on macOS only; here a stand-in for coremltools shows what the session gives it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from effnet_dense.inference import Predictor
from effnet_dense.runtimes.coreml_session import CoremlSession
from tests.helpers.exported_files import METADATA

SIZES = np.ones((1, 2), np.float32)
WRITTEN = replace(METADATA, batch=1)


class Model:
    """Returns its images, and has the metadata of its folder."""

    def __init__(self, path: str) -> None:
        text = Path(path, 'metadata').read_text(encoding='utf-8')
        if not text:
            raise RuntimeError('no Manifest.json\nin the folder')
        self.user_defined_metadata = {'effnet_dense': text} if text != 'foreign' else {}

    def predict(self, given: dict[str, Any]) -> dict[str, Any]:
        return {'logits': given['images'] + 0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on macOS."""
    path = tmp_path / 'a.mlpackage'
    path.mkdir()
    (path / 'metadata').write_text(WRITTEN.to_json(), encoding='utf-8')
    tools = SimpleNamespace(models=SimpleNamespace(MLModel=Model))
    monkeypatch.setitem(sys.modules, 'coremltools', tools)
    monkeypatch.setattr('effnet_dense.runtimes.coreml_session.sys.platform', 'darwin')
    return path


def test_runs(folder: Path) -> None:
    session = CoremlSession(folder)
    assert session.metadata == WRITTEN
    images = np.random.default_rng(0).random((1, 3, 32, 64), np.float32)
    np.testing.assert_array_equal(session(images, SIZES)['logits'], images)
    with pytest.raises(ValueError, match='expected 1 image per pass, got 2'):
        session(np.zeros((2, 3, 32, 64), np.float32), SIZES)


def test_other_systems(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('effnet_dense.runtimes.coreml_session.sys.platform', 'linux')
    for path in (folder, f'{folder}/'):
        with pytest.raises(ImportError, match=r'a\.mlpackage runs on macOS only, .* is linux$'):
            Predictor(path)


def test_wrong_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"no CoreML folder '.*b\.mlpackage'"):
        CoremlSession(folder.with_name('b.mlpackage'))
    (folder / 'metadata').write_text('foreign', encoding='utf-8')
    with pytest.raises(ValueError, match=r'a\.mlpackage has no metadata of effnet_dense: expected'):
        CoremlSession(folder)
    (folder / 'metadata').write_text('', encoding='utf-8')
    with pytest.raises(ValueError, match=r'is damaged or is not a CoreML file: no Manifest\.json$'):
        CoremlSession(folder)
    monkeypatch.setitem(sys.modules, 'coremltools', None)
    with pytest.raises(ImportError, match=r"pip install 'effnet_dense\[coreml\]'"):
        CoremlSession(folder)
