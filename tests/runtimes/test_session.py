"""Which sources are exported files, and by which runtime they are opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.runtimes.onnx_session import OnnxSession
from effnet_dense.runtimes.session import is_exported, open_session
from tests.helpers.exported_files import identity


def test_by_name(tmp_path: Path) -> None:
    assert is_exported('a.onnx') and is_exported(Path('b/model.xml')) and is_exported('A.ONNX')
    assert not any(map(is_exported, ('a.pth', 'efficientdet_d0_coco', None, tmp_path, 'none/')))
    for name in ('model.xml', 'model.bin'):
        folder = tmp_path / name.replace('.', '_')
        folder.mkdir()
        (folder / name).touch()
        assert is_exported(folder) and is_exported(f'{folder}/')
    for name in ('image.xml', 'pytorch_model.bin'):  # an annotation, weights of others
        (tmp_path / name).touch()
    assert not is_exported(tmp_path)
    (tmp_path / 'image.bin').touch()
    assert is_exported(tmp_path) and is_exported(tmp_path / 'image.bin')
    assert not is_exported(tmp_path / 'pytorch_model.bin')


def test_opened_by_its_runtime(tmp_path: Path) -> None:
    for name in ('a.onnx', 'a.ONNX'):
        assert isinstance(open_session(identity(tmp_path / name)), OnnxSession)
    for name, kind in (
        ('b.xml', 'OpenVINO file'),
        ('b.pte', 'ExecuTorch file'),
        ('b.mlpackage', 'CoreML folder'),
        ('b.pt2', r'\.pt2 file'),
    ):
        assert is_exported(name)
        with pytest.raises(FileNotFoundError, match=f"no {kind} '.*{name}'"):
            open_session(tmp_path / name)
