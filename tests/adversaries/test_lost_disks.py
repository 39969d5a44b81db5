"""Disks that are full, folders that vanish, and files that name the last checkpoint wrongly."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend as Disk
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from effnet_dense.engine.config import load_config
from effnet_dense.engine.console import quieten_console
from effnet_dense.engine.hooks.checkpoint import CheckpointHook, DeferredRemoval
from effnet_dense.engine.jobs import train
from effnet_dense.engine.resume import checkpoints
from effnet_dense.engine.resume.checkpoints import (
    LAST,
    find_complete_checkpoint,
    last_checkpoint,
    read_training_state,
)
from effnet_dense.evaluation.vis_backend import LocalBackend
from effnet_dense.report.hook import ReportHook
from effnet_dense.report.store import start_data
from effnet_dense.utils.outputs import is_ours, write_output
from effnet_dense.utils.run_lock import LOCK, locked
from tests.helpers.tiny import narrow_retinanet, options
from tests.helpers.tiny_models import DETECTOR


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Every tool makes loggers."""


@HOOKS.register_module(force=True)
class DeletesFolder(Hook):
    """Deletes the work folder in the second epoch."""

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        if runner.iter == 2:
            shutil.rmtree(runner.work_dir)


@pytest.mark.slow
def test_a_folder_that_vanishes_and_a_full_disk(
    tiny_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Epoch 1 is lost with the folder, 2 is saved into a new one, and 3 does not fit."""
    work, put, calls = tmp_path / 'work', Disk.put, []

    def put_half(disk: Disk, content: bytes, path: str) -> None:
        calls.append(path)
        put(disk, content if len(calls) < 3 else content[: len(content) // 2], path)
        if len(calls) >= 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Disk, 'put', put_half)
    values = {**options(epochs=3), **narrow_retinanet()}
    config = load_config(DETECTOR, tiny_data, values, work)
    config.custom_hooks = [dict(type='mmengine.DeletesFolder')]
    with pytest.raises(OSError, match=r'disk is full: .*the last checkpoint is') as caught:
        train(config)
    assert len(calls) == 3
    assert caught.value.filename == str(work / 'epoch_3.pth')
    assert 'was deleted during the run' in capsys.readouterr().err
    read_training_state(work / 'epoch_2.pth')
    assert last_checkpoint(work) == work / 'epoch_2.pth'
    assert [path.name for path in work.glob('*.pth')] == ['epoch_2.pth']
    assert not list(work.rglob('.part-*')) and not (work / LOCK).exists()
    assert len(list(work.glob('*/vis_data/scalars.json'))) == 1
    (log,) = work.glob('*/*.log')
    assert 'Saving checkpoint at 2 epochs' in log.read_text(encoding='utf-8')


def test_curves_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = LocalBackend(str(tmp_path / 'vis'))
    backend.add_scalars({'loss': 1.0}, 1)
    path, write = tmp_path / 'vis' / 'scalars.json', os.write
    before = path.read_bytes()

    def half(handle: int, content: memoryview) -> int:
        if len(content) < 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, content[:10])

    monkeypatch.setattr(os, 'write', half)
    with pytest.raises(OSError, match='the disk is full') as caught:
        backend.add_scalars({'loss': 2.0}, 2)
    assert caught.value.filename == str(path) and path.read_bytes() == before
    monkeypatch.undo()
    shutil.rmtree(tmp_path / 'vis')
    backend.add_scalars({'loss': 3.0}, 3)
    assert json.loads(path.read_text(encoding='utf-8'))['loss'] == 3.0


def test_curves_replace_no_file_of_the_user(tmp_path: Path) -> None:
    for name in ('config.py', 'scalars.json', 'vis_image/x_0.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'mine')
    backend = LocalBackend(str(tmp_path))
    for write in (
        lambda: backend.add_config(Config({'a': 1})),
        lambda: backend.add_scalar('loss', 1.0),
        lambda: backend.add_image('x', np.zeros((2, 2, 3), np.uint8)),
    ):
        with pytest.raises(FileExistsError, match='did not write'):
            write()
    assert {path.read_bytes() for path in tmp_path.rglob('*.*') if path.is_file()} == {b'mine'}


def logger_to(path: Path) -> logging.Logger:
    logger = logging.Logger('x')
    logger.addHandler(logging.FileHandler(path, encoding='utf-8'))
    quieten_console(logger)
    return logger


def test_a_log_on_a_full_disk_is_named_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The link leads to a device that is always full."""
    path = tmp_path / 'x.log'
    path.symlink_to('/dev/full')
    logger = logger_to(path)
    for _ in range(3):
        logger.warning('a line')
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f'the log misses lines, {path}: No space left on device'
    logger.handlers[0].stream = open(os.devnull, 'w', encoding='utf-8')  # noqa: SIM115


@pytest.mark.parametrize('left', [True, False], ids=['file', 'folder'])
def test_a_log_that_vanishes_is_made_again(
    left: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'run' / 'x.log'
    path.parent.mkdir()
    logger = logger_to(path)
    logger.warning('before')
    path.unlink() if left else shutil.rmtree(path.parent)
    for text in ('after', 'Straße'):
        logger.warning(text)
    first, *lines = path.read_text(encoding='utf-8').splitlines()
    assert 'was deleted' in first and lines == ['after', 'Straße']
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_report_on_a_full_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page that was written before stays."""
    page = write_output(tmp_path / 'report' / 'index.html', 'before')
    write_output(tmp_path / 'report' / 'losses.png', 'before')
    lines: list[tuple[str, dict[str, Any]]] = []
    logger = SimpleNamespace(warning=lambda text, **more: lines.append((text, more)))
    runner: Any = SimpleNamespace(work_dir=str(tmp_path), logger=logger)
    hook = ReportHook()

    def save(*args: Any) -> None:
        start_data(page.parent)
        raise OSError(errno.ENOSPC, 'the disk is full', str(tmp_path / 'x.npz'))

    monkeypatch.setattr(hook, '_save', save)
    hook._write(runner, 'x', None, {})
    (line, more), path = lines[0], tmp_path / 'x.npz'
    assert line == f'the report could not be written: the disk is full ({path})' and not more
    assert page.read_text(encoding='utf-8') == 'before' and is_ours(page)
    assert not (page.parent / 'losses.png').exists()


def test_a_lock_that_vanishes_is_taken_again(tmp_path: Path) -> None:
    with locked(tmp_path / 'a') as lock:
        lock.renew()
        shutil.rmtree(tmp_path / 'a')
        lock.renew()
        with pytest.raises(FileExistsError, match='has been training'), locked(tmp_path / 'a'):
            pass
        (tmp_path / 'a' / LOCK).unlink()
        with locked(tmp_path / 'a'), pytest.raises(FileExistsError, match='has been training'):
            lock.renew()
        lock.renew()
    assert not (tmp_path / 'a' / LOCK).exists()


def huge(path: Path) -> None:
    with path.open('wb') as file:
        file.truncate(1 << 30)


# What last_checkpoint is, and whether that is worth a word where the folder has a checkpoint.
HOSTILE: dict[str, tuple[Callable[[Path], Any], bool]] = {
    'password file': (lambda path: path.write_text('/etc/passwd', encoding='utf-8'), True),
    'above': (lambda path: path.write_text('../x', encoding='utf-8'), True),
    'folder': (lambda path: path.write_text('/etc', encoding='utf-8'), True),
    'device': (lambda path: path.write_text('/dev/zero', encoding='utf-8'), True),
    'names a pipe': (lambda path: path.write_text('pipe', encoding='utf-8'), True),
    'long': (lambda path: path.write_text('x' * 300, encoding='utf-8'), True),
    'longer': (lambda path: path.write_text('x' * 5000, encoding='utf-8'), True),
    'bytes': (lambda path: path.write_bytes(bytes(range(256))), True),
    'zeros': (lambda path: path.write_bytes(bytes(100)), True),
    'lines': (lambda path: path.write_text('epoch_1.pth\nepoch_2.pth', encoding='utf-8'), True),
    'empty': (lambda path: path.write_bytes(b''), False),
    'pipe': (os.mkfifo, True),
    'a folder': (lambda path: path.mkdir(), True),
    'dangling': (lambda path: path.symlink_to('absent'), True),
    'huge': (huge, True),
}


@pytest.mark.parametrize('kind', HOSTILE)
def test_a_hostile_last_checkpoint(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder's own checkpoint is found; without one an error says why."""
    make, said = HOSTILE[kind]
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'gone.pth').symlink_to('absent')
    make(tmp_path / LAST)
    if said:
        with pytest.raises(ValueError, match='is complete: ') as caught:
            find_complete_checkpoint(tmp_path)
        assert '\n' not in str(caught.value) and len(str(caught.value)) < 7000
    lines: list[str] = []
    monkeypatch.setattr(checkpoints, 'print_log', lambda text, *more: lines.append(text))
    own = tmp_path / 'epoch_1.pth'
    state: dict[str, Any] = {key: {} for key in checkpoints.TRAINING_STATE}
    torch.save(state, own)
    monkeypatch.setattr(checkpoints, 'check_contents', lambda state: None)
    assert find_complete_checkpoint(tmp_path) == own
    assert bool([line for line in lines if 'gone.pth' not in line]) is said


def test_only_what_the_run_wrote_is_removed(tmp_path: Path) -> None:
    names = ['kept.pth', 'edited.pth', 'linked.pth', 'theirs.pth', 'old.pth', 'again.pth']
    for name in names:
        write_output(tmp_path / name, name)
    (tmp_path / 'theirs.pth').unlink()
    (tmp_path / 'theirs.pth').write_text('mine', encoding='utf-8')
    with (tmp_path / 'edited.pth').open('a', encoding='utf-8') as file:
        file.write('!')
    (tmp_path / 'linked.pth').rename(tmp_path / 'best')
    (tmp_path / 'linked.pth').symlink_to('best')
    (tmp_path / 'other.pth').write_text('mine', encoding='utf-8')
    write_output(tmp_path / 'again.pth', 'again')
    removal = DeferredRemoval(Disk())
    for name in [*names, 'other.pth', 'absent.pth']:
        removal.remove(str(tmp_path / name))
    removal.remove_now(keep={str(tmp_path / 'kept.pth')})
    left = {'kept.pth', 'edited.pth', 'linked.pth', 'theirs.pth', 'other.pth', 'best'}
    assert {path.name for path in tmp_path.glob('[!.]*')} == left


@pytest.mark.parametrize('own', [True, False], ids=['ours', 'of mmengine'])
def test_resuming_takes_over_what_mmengine_wrote_only(own: bool, tmp_path: Path) -> None:
    """Of a folder of this package, later checkpoints that it did not write are the user's."""
    for name in ('epoch_1.pth', LAST):
        write = write_output if own else Path.write_text
        write(tmp_path / name, str(tmp_path / 'epoch_1.pth'))
    (tmp_path / LAST).write_text('epoch_1.pth', encoding='utf-8')  # people choose so
    later = tmp_path / 'epoch_2.pth'
    later.write_text('mine', encoding='utf-8')
    os.mkfifo(tmp_path / 'epoch_4.pth')
    hook = CheckpointHook(out_dir=str(tmp_path), interval=1)
    runner: Any = SimpleNamespace(
        work_dir=str(tmp_path), _resume=True, _load_from=None, epoch=1, max_epochs=3, iter=0
    )
    runner.max_iters = 6
    if own:
        with pytest.raises(FileExistsError, match=r'write.*: \S*epoch_2.pth; move'):
            hook._check_files(runner)
    else:
        hook._check_files(runner)
        assert is_ours(later)
    assert is_ours(tmp_path / LAST)
