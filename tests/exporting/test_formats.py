"""Files are complete or absent, and a wrong name is known before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx.parser
import pytest

from effnet_dense import exporting
from effnet_dense.exporting import onnx_format, openvino_format
from effnet_dense.exporting.formats import check_out, maker, write
from tests.helpers.exported_files import GRAPH, METADATA


@pytest.mark.parametrize(
    ('name', 'form', 'message'),
    [
        ('a', 'onnx', r"expected out to be a name with \.onnx, got '.*a'"),
        ('a.xml', 'openvino', r"the name of a folder, such as model_openvino, got '.*a\.xml'"),
        ('a.onnx', 'openvino', 'the name of a folder'),
        ('a', 'tflite', r"expected format to be one of onnx, openvino, .*, got 'tflite'"),
    ],
)
def test_wrong_names(tmp_path: Path, name: str, form: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_out(tmp_path / name, form)


def test_a_folder_that_exists(tmp_path: Path) -> None:
    pytest.importorskip('openvino')
    with pytest.raises(FileExistsError, match='exists: choose another file'):
        check_out(tmp_path, 'openvino')


def test_a_name_with_a_file_above_it(tmp_path: Path) -> None:
    (tmp_path / 'a').write_text('mine', encoding='utf-8')
    with pytest.raises(NotADirectoryError, match=r'cannot write results into .*a is not a f'):
        check_out(tmp_path / 'a' / 'b.onnx', 'onnx')


@pytest.mark.parametrize('error', [OSError(28, 'No space left'), RuntimeError('No space left')])
def test_a_full_disk(tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(onnx_format, 'save', full)
    with pytest.raises(OSError, match=r'cannot write .*a\.onnx: No space left$'):
        write(onnx.parser.parse_model(GRAPH), METADATA, tmp_path / 'a.onnx', 'onnx')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('form', 'name'), [('onnx', 'a.onnx'), ('openvino', 'a')])
def test_a_missing_converter(
    tmp_path: Path, form: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('openvino')
    monkeypatch.setattr(onnx_format, 'find_spec', lambda _: None)
    with pytest.raises(ImportError, match=rf"needs onnxscript: pip install 'effnet_dense\[{form}"):
        check_out(tmp_path / name, form)


def test_a_missing_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(ImportError, match=r"pip install 'effnet_dense\[openvino\]'"):
        check_out(tmp_path / 'a', 'openvino')


def test_what_an_export_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'onnx', None)
    monkeypatch.delitem(sys.modules, 'effnet_dense.exporting.onnx_format')
    monkeypatch.delattr(exporting, 'onnx_format')
    with pytest.raises(
        ImportError, match=r"to onnx needs onnx: pip install 'effnet_dense\[onnx\]'"
    ):
        maker('onnx')


@pytest.mark.parametrize(('form', 'name'), [('onnx', 'a.onnx'), ('openvino', 'a')])
def test_nothing_is_left_of_half_a_file(
    tmp_path: Path, form: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('openvino')

    def half(*given: object) -> None:
        path = Path(str(given[-1]))
        (path / 'model.xml' if path.is_dir() else path).write_text('<', encoding='utf-8')
        raise OSError('disk full')

    monkeypatch.setattr(onnx_format.onnx, 'save', half)
    monkeypatch.setattr(openvino_format, 'save_openvino', half)
    with pytest.raises(OSError, match='disk full'):
        write(onnx.parser.parse_model(GRAPH), METADATA, tmp_path / name, form)
    assert list(tmp_path.iterdir()) == []


def test_sizes(tmp_path: Path) -> None:
    pytest.importorskip('openvino')
    for form, name in (('onnx', 'a.onnx'), ('openvino', 'a')):
        path = tmp_path / name
        size = write(onnx.parser.parse_model(GRAPH), METADATA, path, form)
        files = [path] if path.is_file() else [path / 'model.xml', path / 'model.bin']
        assert size == sum(len(file.read_bytes()) for file in files)
