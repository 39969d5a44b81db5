"""Files that are not checkpoints, or contain code."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import nn

from effnet_dense.weights import safe_load


class RunsCode:
    """An attacker's pickle, which calls any function while it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize('zipped', [True, False])
def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, zipped: bool) -> None:
    mark, path = tmp_path / 'mark', tmp_path / 'evil.pth'
    torch.save({'x': RunsCode(mark)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r'evil\.pth is not a safe checkpoint.*mkdir.*run code'):
        safe_load(path)
    assert not mark.exists()
    # Without the restriction the file does run code.
    torch.load(path, weights_only=False)
    assert mark.exists()


def test_a_plain_pickle_is_refused(tmp_path: Path) -> None:
    mark, path = tmp_path / 'mark', tmp_path / 'evil.pkl'
    path.write_bytes(pickle.dumps(RunsCode(mark), protocol=2))
    with pytest.raises(ValueError, match=r'evil\.pkl'):
        safe_load(path)
    assert not mark.exists()


def test_attributes_beyond_the_history_buffers_are_refused(tmp_path: Path) -> None:
    """mmengine's pickles need getattr for four methods; it must not return anything else."""

    class Getattr:
        def __reduce__(self) -> tuple[Any, ...]:
            return getattr, (HistoryBuffer, '__init__')

    path = tmp_path / 'evil.pth'
    torch.save({'x': Getattr()}, path)
    with pytest.raises(ValueError, match=r'not a safe checkpoint.*getattr.*__init__'):
        safe_load(path)


def test_a_pickled_module_is_refused_with_its_class(tmp_path: Path) -> None:
    path = tmp_path / 'module.pth'
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(ValueError, match=r'requests torch\.nn\.modules\.linear\.Linear'):
        safe_load(path)


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('kept', [0.02, 0.3, 0.7, 0.99])
def test_truncated_files(tmp_path: Path, zipped: bool, kept: float) -> None:
    path = tmp_path / 'part.pth'
    torch.save({'x': torch.randn(1000)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=r'part\.pth is (truncated|not a safe)'):
        safe_load(path)


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
@pytest.mark.parametrize('zipped', [True, False])
def test_damaged_files_raise_nothing_else(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / 'damaged.pth'
    torch.save({'x': torch.randn(100)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    random = np.random.default_rng(0)  # damage in tensors' values is not detected
    for _ in range(100):
        damaged = bytearray(content)
        for position in random.integers(0, min(len(content), 700), 5):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged)
        try:
            safe_load(path)
        except ValueError as error:
            assert 'damaged.pth' in str(error)


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'is empty'),
        (b'\n<!DOCTYPE html><html>not found</html>', 'HTML'),
        (b'version https://git-lfs.github.com/spec/v1\n', 'Git LFS'),
        (b'hello world, this is text', 'not a PyTorch checkpoint|not a safe'),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / 'other.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'other\.pth.*({reason})'):
        safe_load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no checkpoint at .*absent\.pth'):
        safe_load(tmp_path / 'absent.pth')


def test_mmengines_message_hub(tmp_path: Path) -> None:
    hub = MessageHub.get_instance('test_mmengines_message_hub')
    hub.update_scalar('train/loss', 2.5)
    hub.update_info('epoch', 3)
    hub.update_info('best', np.float64(0.25))
    hub.update_info('classes', np.arange(3))
    path = tmp_path / 'epoch_3.pth'
    torch.save({'state_dict': {'w': torch.ones(2)}, 'message_hub': hub.state_dict()}, path)

    loaded = safe_load(path)['message_hub']
    loss = loaded['log_scalars']['train/loss']
    assert isinstance(loss, HistoryBuffer)
    assert loss.statistics('mean') == 2.5
    assert loaded['runtime_info']['epoch'] == 3
    assert loaded['runtime_info']['best'] == 0.25
    assert loaded['runtime_info']['classes'].tolist() == [0, 1, 2]
    # The types are allowed during the call only.
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def test_files_of_numpy_1(tmp_path: Path) -> None:
    """The same pickle with the old name of numpy's module."""
    new, old = tmp_path / 'new.pth', tmp_path / 'old.pth'
    torch.save({'x': np.arange(3.0)}, new, _use_new_zipfile_serialization=False)
    content = new.read_bytes()
    for name in (b'numpy._core.multiarray', b'numpy.core.multiarray'):
        if name in content:
            other = b'numpy.core.multiarray' if b'_' in name else b'numpy._core.multiarray'
            old.write_bytes(content.replace(name, other))
    assert safe_load(old)['x'].tolist() == safe_load(new)['x'].tolist() == [0.0, 1.0, 2.0]


def test_safetensors(tmp_path: Path) -> None:
    safetensors = pytest.importorskip('safetensors.torch')
    path = tmp_path / 'model.safetensors'
    safetensors.save_file({'w': torch.arange(3.0)}, path)
    assert safe_load(path)['w'].tolist() == [0.0, 1.0, 2.0]
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match='truncated or not a safetensors'):
        safe_load(path)


def test_records_that_expand_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('archive/data.pkl', bytes(100_000))
    with pytest.raises(ValueError, match='its records expand to 100000 bytes, the file has'):
        safe_load(path)


def test_a_changed_byte_of_a_tensor_is_damage(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    torch.save({'a': torch.ones(1000), 'b': torch.ones(1000)}, path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.ones(2).numpy().tobytes()) + 40] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'is damaged: 1 of its \d+ records .* first is a/data/0'):
        safe_load(path)


def test_files_without_checksums_are_read(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({'a': torch.ones(10), 'b': torch.zeros(10)}, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert safe_load(path)['a'].sum() == 10
