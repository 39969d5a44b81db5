"""Opening and running OpenVINO files; every wrong file and input is one sentence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from effnet_dense.exporting.openvino_file import save_openvino
from effnet_dense.runtimes.openvino_session import OpenvinoSession
from tests.helpers.exported_files import METADATA, identity_folder

pytest.importorskip('openvino')
SIZES = np.ones((2, 2), np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network that returns its images."""
    return identity_folder(tmp_path / 'model_openvino')


def test_runs_any_number_of_images(folder: Path) -> None:
    session = OpenvinoSession(folder)
    assert session.metadata == METADATA
    last = None
    for count in (1, 3):
        images = np.random.default_rng(count).random((count, 3, 32, 64), np.float32)
        found = session(images)['logits']
        np.testing.assert_array_equal(found, images)
        if last is not None:  # results are the caller's own
            np.testing.assert_array_equal(*last)
        last = found, images
    assert OpenvinoSession(folder / 'model.xml', threads=1).metadata == METADATA


def shared_convolution() -> Any:
    """Return 8-bit weights that two convolutions use, each with a scale of its own."""
    import openvino
    from openvino import opset13 as op

    def in_8_bits(x: Any) -> Any:
        low, high = np.float32(0), np.float32(1)
        return op.fake_quantize(x, low, high, low, high, 256)

    images = op.parameter([-1, 3, 32, 64], name='images')
    images.output(0).set_names({'images'})
    weights = np.random.default_rng(0).integers(-127, 127, (3, 3, 3, 3)).astype(np.int8)
    shared, found = op.constant(weights), in_8_bits(images)
    for scale in (1e-3, 2e-3):
        factors = np.full((3, 1, 1, 1), scale, np.float32)
        kernel = op.multiply(op.convert(shared, 'f32'), factors)
        found = in_8_bits(op.relu(op.convolution(found, kernel, [1, 1], [1, 1], [1, 1], [1, 1])))
    result = op.result(found)
    result.output(0).set_names({'logits'})
    return openvino.Model([result], [images], 'shared')


def test_shared_weights_stay_in_8_bits_for_one_size(tmp_path: Path) -> None:
    model = shared_convolution()
    save_openvino(model, METADATA, tmp_path)
    session = OpenvinoSession(tmp_path)
    network = session._network(usual=True).get_runtime_model()
    information = [node.get_rt_info() for node in network.get_ops()]
    precisions = [
        found['runtimePrecision'].astype(str)
        for found in information
        if found['layerType'].astype(str) == 'Convolution'
    ]
    assert len(precisions) == 2 and set(precisions) <= {'u8', 'i8'}
    images = np.random.default_rng(1).random((3, 3, 32, 64), np.float32)
    together = session(images)['logits']  # by the network for any number of images
    assert together.std() > 0.05
    for image, expected in zip(images, together, strict=True):
        np.testing.assert_allclose(session(image[None])['logits'][0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ('shape', 'dtype', 'got'),
    [
        ((1, 3, 32, 32), np.float32, r'got \(1, 3, 32, 32\) of float32'),
        ((1, 3, 32, 64), np.float64, r'got \(1, 3, 32, 64\) of float64'),
        ((3, 32, 64), np.float32, r'got \(3, 32, 64\) of float32'),
    ],
)
def test_wrong_images(folder: Path, shape: tuple[int, ...], dtype: type, got: str) -> None:
    with pytest.raises(ValueError, match=rf'expected images \(N, 3, 32, 64\) of float32, {got}'):
        OpenvinoSession(folder)(np.zeros(shape, dtype), SIZES)  # type: ignore[arg-type]


def test_wrong_number_of_images(tmp_path: Path) -> None:
    session = OpenvinoSession(identity_folder(tmp_path / 'two', batch=2))
    with pytest.raises(ValueError, match='expected 2 images per pass, got 1'):
        session(np.zeros((1, 3, 32, 64), np.float32), SIZES)


def test_half_a_file(folder: Path) -> None:
    xml, weights = folder / 'model.xml', folder / 'model.bin'
    content = xml.read_bytes()
    xml.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        ValueError, match=r'model\.xml is damaged or is not an OpenVINO file: .'
    ) as found:
        OpenvinoSession(folder)
    assert '\n' not in str(found.value)
    xml.write_bytes(content)
    weights.write_bytes(weights.read_bytes()[:2])
    with pytest.raises(ValueError, match=r'model\.bin has other weights than model\.xml was writ'):
        OpenvinoSession(folder)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r'has no weights beside it: no model\.bin'):
        OpenvinoSession(folder)
    xml.unlink()
    with pytest.raises(FileNotFoundError, match=r"no OpenVINO file '.*\.xml'"):
        OpenvinoSession(folder)


def test_weights_of_another_file(folder: Path) -> None:
    weights = folder / 'model.bin'
    weights.write_bytes(bytes(255 - value for value in weights.read_bytes()))
    with pytest.raises(ValueError, match=r'model\.bin has other weights than model\.xml was writ'):
        OpenvinoSession(folder)


def test_two_networks(folder: Path) -> None:
    (folder / 'a.xml').touch()
    with pytest.raises(ValueError, match=r'expected one \.xml file in .*, got a\.xml, model\.xml'):
        OpenvinoSession(folder)


def test_foreign_files(folder: Path) -> None:
    xml = folder / 'model.xml'
    text = xml.read_text(encoding='utf-8')
    xml.write_text(text.replace('effnet_dense', 'another'), encoding='utf-8')
    with pytest.raises(ValueError, match=r'model\.xml has no metadata of effnet_dense: expected a'):
        OpenvinoSession(folder)
    xml.write_text('<annotation><object/></annotation>', encoding='utf-8')
    with pytest.raises(ValueError, match=r'model\.xml is damaged or is not an OpenVINO file'):
        OpenvinoSession(folder)


def test_missing_runtime(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(ImportError, match=r"pip install 'effnet_dense\[openvino\]'"):
        OpenvinoSession(folder)
