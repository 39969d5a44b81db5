"""Opening and running LiteRT's files; every wrong file and input is one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from effnet_dense.exporting.litert_packing import with_metadata
from effnet_dense.runtimes.litert_session import LitertSession, read_metadata
from effnet_dense.runtimes.session import is_exported, open_session
from tests.helpers.exported_files import METADATA
from tests.helpers.litert_files import BOXES, DENSE, OFFSETS, identity, three_priors

pytest.importorskip('ai_edge_litert')
SIZES = np.array([[40, 64]], np.float32)


def test_runs_one_image(tmp_path: Path) -> None:
    path = identity(tmp_path / 'a.tflite')
    assert is_exported(path)
    session = open_session(path)
    assert session.metadata.classes == METADATA.classes and session.metadata.layout == 'NHWC'
    images = np.random.default_rng(0).random((1, 3, 32, 64), np.float32)
    np.testing.assert_array_equal(session(images, SIZES)['logits'], images)


def test_detections(tmp_path: Path) -> None:
    session = LitertSession(three_priors(tmp_path / 'a.tflite'))
    assert session.metadata == DENSE
    images = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    found = session(images, SIZES)
    wanted = 1 / (1 + np.exp(-(images.mean((0, 2, 3)) + OFFSETS)))
    # Of five pairs above the threshold the four highest, without the second prior's, which
    # overlaps the first one's.
    assert found['labels'].tolist() == [[1, 0, 2, -1, -1]]
    np.testing.assert_allclose(
        found['scores'][0], [wanted[2, 1], wanted[0, 0], wanted[2, 2], 0, 0], rtol=1e-4
    )
    first = [0, 0, 64, 30]  # ends where the image does
    np.testing.assert_array_equal(found['boxes'][0, :3], [BOXES[2], first, BOXES[2]])


@pytest.mark.parametrize(
    ('shape', 'dtype', 'got'),
    [
        ((1, 3, 32, 32), np.float32, r'got \(1, 3, 32, 32\) of float32'),
        ((1, 3, 32, 64), np.float64, r'got \(1, 3, 32, 64\) of float64'),
        ((1, 32, 64, 3), np.float32, r'got \(1, 32, 64, 3\)'),
        ((2, 3, 32, 64), np.float32, None),
    ],
)
def test_wrong_images(tmp_path: Path, shape: tuple[int, ...], dtype: type, got: str | None) -> None:
    session = LitertSession(identity(tmp_path / 'a.tflite'))
    message = rf'expected images \(N, 3, 32, 64\) of float32, {got}'
    with pytest.raises(ValueError, match=message if got else 'expected 1 image per pass, got 2'):
        session(np.zeros(shape, dtype), SIZES)  # type: ignore[arg-type]


def test_wrong_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = identity(tmp_path / 'a.tflite')
    with pytest.raises(FileNotFoundError, match=r"no LiteRT file '.*b\.tflite'"):
        LitertSession(tmp_path / 'b.tflite')
    content = path.read_bytes()
    for share in (2, 3, 16):
        half = tmp_path / 'half.tflite'
        half.write_bytes(content[: len(content) // share])
        with pytest.raises(
            ValueError, match=r'half.tflite is damaged or is not a LiteRT file'
        ) as found:
            LitertSession(half)
        assert '\n' not in str(found.value)
    other = tmp_path / 'other.tflite'
    other.write_bytes(b'PK\x03\x04 not this')
    with pytest.raises(
        ValueError, match="damaged or is not a LiteRT file: expected b'TFL3' in bytes"
    ):
        LitertSession(other)
    monkeypatch.setattr('effnet_dense.exporting.litert_packing.KEY', 'others')
    other.write_bytes(with_metadata(content, '{}'))
    assert read_metadata(other.read_bytes()) is not None  # there are both
    foreign = identity(tmp_path / 'foreign.tflite')
    with pytest.raises(ValueError, match='has no metadata of effnet_dense: expected a file that'):
        LitertSession(foreign)
    monkeypatch.setitem(sys.modules, 'ai_edge_litert', None)
    with pytest.raises(ImportError, match=r"pip install 'effnet_dense\[litert\]'"):
        LitertSession(path)
