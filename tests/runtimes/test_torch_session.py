"""Opening and running .pt2 files; every wrong file and input is one sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from effnet_dense.runtimes import torch_session
from effnet_dense.runtimes.torch_session import TorchSession, chosen_device, loaded
from tests.helpers.exported_files import METADATA
from tests.helpers.exported_programs import identity_program, needs_pt2

SIZES = np.ones((1, 2), np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A network that returns its images."""
    needs_pt2()
    return identity_program('torch', tmp_path / 'a.pt2')


def test_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    session = TorchSession(path)
    assert session.metadata == replace(METADATA, batch=1)
    images = np.random.default_rng(0).random((2, 1, 3, 32, 64), np.float32)
    first, second = (session(part, SIZES)['logits'] for part in images)
    np.testing.assert_array_equal(first, images[0])
    np.testing.assert_array_equal(second, images[1])


def test_devices(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = loaded(path.read_bytes(), 'meta')(torch.zeros(1, 3, 32, 64, device='meta'))
    assert found.device.type == 'meta'
    for available, device in ((True, 'cuda'), (False, 'cpu')):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda found=available: found)
        assert chosen_device() == device


@pytest.mark.parametrize(
    ('shape', 'dtype', 'got'),
    [
        ((1, 3, 32, 32), np.float32, r'\(N, 3, 32, 64\) .* got \(1, 3, 32, 32\) of float32'),
        ((1, 3, 32, 64), np.float64, r'\(N, 3, 32, 64\) .* got \(1, 3, 32, 64\) of float64'),
        ((2, 3, 32, 64), np.float32, 'expected 1 image per pass, got 2'),
    ],
)
def test_wrong_images(path: Path, shape: tuple[int, ...], dtype: type, got: str) -> None:
    with pytest.raises(ValueError, match=got):
        TorchSession(path, 'cpu')(np.zeros(shape, dtype), SIZES)  # type: ignore[arg-type]


def test_wrong_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \.pt2 file '.*b\.pt2'"):
        TorchSession(path.with_name('b.pt2'))
    foreign = path.with_name('foreign.pt2')
    torch.export.save(torch.export.export(nn.Identity(), (torch.ones(2),)), foreign)
    with pytest.raises(ValueError, match=r'foreign\.pt2 has no metadata of effnet_dense: expected'):
        TorchSession(foreign)
    half = path.with_name('half.pt2')
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        ValueError, match=r'half\.pt2 is damaged or was not written by .*: no complete'
    ) as info:
        TorchSession(half)
    assert '\n' not in str(info.value)

    def fail(*_: object) -> None:
        raise ValueError('schema version 9.1\nis unknown')

    monkeypatch.setattr(torch_session, 'loaded', fail)
    with pytest.raises(ValueError, match=r'a\.pt2 .* of another PyTorch: schema version 9\.1$'):
        TorchSession(path)
