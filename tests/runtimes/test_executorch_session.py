"""Opening and running .pte files; every wrong file and input is one sentence."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from effnet_dense.runtimes.executorch_session import ExecutorchSession, import_executorch
from tests.helpers.exported_files import METADATA
from tests.helpers.exported_programs import identity_program

SIZES = np.ones((2, 2), np.float32)


def test_missing_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'a.pte').touch()
    monkeypatch.setitem(sys.modules, 'executorch', None)
    with pytest.raises(ImportError, match=r"pip install 'effnet_dense\[executorch\]'"):
        ExecutorchSession(tmp_path / 'a.pte')


@pytest.fixture(scope='module')
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that returns its images, two at a time."""
    reason = 'ExecuTorch is in an environment of its own: bash tools/environment.sh executorch'
    pytest.importorskip('executorch', reason=reason)
    return identity_program('executorch', tmp_path_factory.mktemp('pte') / 'a.pte', batch=2)


def test_runs(path: Path) -> None:
    session = ExecutorchSession(path)
    assert session.metadata == replace(METADATA, batch=2)
    images = np.random.default_rng(0).random((2, 2, 3, 32, 64), np.float32)
    first, second = (session(part, SIZES)['logits'] for part in images)
    np.testing.assert_array_equal(first, images[0])
    np.testing.assert_array_equal(second, images[1])


@pytest.mark.parametrize(
    ('shape', 'dtype', 'got'),
    [
        ((2, 3, 32, 32), np.float32, r'\(N, 3, 32, 64\) .* got \(2, 3, 32, 32\) of float32'),
        ((2, 3, 32, 64), np.float64, r'\(N, 3, 32, 64\) .* got \(2, 3, 32, 64\) of float64'),
        ((1, 3, 32, 64), np.float32, 'expected 2 images per pass, got 1'),
    ],
)
def test_wrong_images(path: Path, shape: tuple[int, ...], dtype: type, got: str) -> None:
    with pytest.raises(ValueError, match=got):
        ExecutorchSession(path)(np.zeros(shape, dtype), SIZES)  # type: ignore[arg-type]


def test_damaged_files(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    damaged = tmp_path / 'b.pte'
    for part in (content[: len(content) // 2], content[:-1], b'', b'hello' * 99):
        damaged.write_bytes(part)
        with pytest.raises(
            ValueError, match=r'b\.pte is damaged or is not an ExecuTorch fi'
        ) as info:
            ExecutorchSession(damaged)
        assert '\n' not in str(info.value)


def test_foreign_files(path: Path, tmp_path: Path) -> None:
    from executorch.exir import to_edge_transform_and_lower

    def written(**methods: torch.Tensor) -> Path:
        program = torch.export.export(torch.nn.ReLU(), (torch.ones(2),))
        edge = to_edge_transform_and_lower(program, constant_methods=methods)
        (tmp_path / 'b.pte').write_bytes(edge.to_executorch().buffer)
        return tmp_path / 'b.pte'

    with pytest.raises(ValueError, match=r'b\.pte has no metadata of effnet_dense: expected a fi'):
        ExecutorchSession(written())
    with pytest.raises(ValueError, match=r'b\.pte: its metadata is no JSON'):
        ExecutorchSession(written(effnet_dense=torch.tensor([123, 123], dtype=torch.uint8)))


def test_import(path: Path) -> None:
    backends = import_executorch().Runtime.get().backend_registry
    assert backends.is_available('XnnpackBackend')
