"""A file holds its old content or its new one, at any moment."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from effnet_dense.utils.atomic import atomic_path, atomic_write, partial_path


class PowerCut(BaseException):
    """Ends a block where a power cut would."""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_content_is_replaced_at_the_end_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / 'file.txt'
    atomic_write(path, 'old')
    with pytest.raises(PowerCut), atomic_path(path) as partial:
        partial.write_text('half', encoding='utf-8')
        assert names(tmp_path) == {'file.txt', '.part-file.txt'}
        raise PowerCut
    assert path.read_text(encoding='utf-8') == 'old'
    assert names(tmp_path) == {'file.txt'}
    with atomic_path(str(path)) as partial:
        partial.write_text('new', encoding='utf-8')
        assert path.read_text(encoding='utf-8') == 'old'
    assert path.read_text(encoding='utf-8') == 'new'
    assert names(tmp_path) == {'file.txt'}


def test_what_a_kill_left_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    partial_path(path).write_text('left by a killed process', encoding='utf-8')
    with atomic_path(path) as partial:
        assert partial == partial_path(path)
        partial.write_text('new', encoding='utf-8')
    assert path.read_text(encoding='utf-8') == 'new'
    assert names(tmp_path) == {'file'}


def test_text_and_bytes(tmp_path: Path) -> None:
    atomic_write(tmp_path / 'text', '→\n')
    atomic_write(tmp_path / 'bytes', b'\r\n\0')
    assert (tmp_path / 'text').read_bytes() == '→\n'.encode()
    assert (tmp_path / 'bytes').read_bytes() == b'\r\n\0'


@pytest.mark.parametrize(
    ('fsync', 'expected'), [(True, ['flush', 'name', 'flush']), (False, ['name'])]
)
def test_bytes_are_on_the_disk_before_the_name(
    fsync: bool, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    flush, replace = os.fsync, os.replace
    monkeypatch.setattr(os, 'fsync', lambda handle: (done.append('flush'), flush(handle)))
    monkeypatch.setattr(os, 'replace', lambda *paths: (done.append('name'), replace(*paths)))
    atomic_write(tmp_path / 'file', 'text', fsync)
    assert done == expected


def test_a_full_disk_is_named_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'file'
    atomic_write(path, 'old')

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match=r'the disk is full: .*file') as caught:
        atomic_write(path, 'new')
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text(encoding='utf-8') == 'old'
    assert names(tmp_path) == {'file'}


def test_a_file_that_was_never_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / 'file'):
        pass
    assert not names(tmp_path)


def test_several_processes_may_write_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their temporary files differ."""
    seen = set()
    replace = os.replace

    def note(source: Path, target: Path) -> None:
        seen.add(source.name)
        replace(source, target)

    monkeypatch.setattr(os, 'replace', note)
    for pid in (7, 8):
        monkeypatch.setattr(os, 'getpid', lambda pid=pid: pid)
        atomic_write(tmp_path / 'file', 'text')
    assert seen == {'.part-7-file', '.part-8-file'}
