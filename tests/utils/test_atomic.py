"""A file holds its old content or its new one, at any moment."""

from __future__ import annotations

import errno
import multiprocessing
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


def test_several_writers_of_the_same_file(tmp_path: Path) -> None:
    """Their temporary files differ; the last one that ends wins."""
    path = tmp_path / 'file'
    with atomic_path(path) as first:
        first.write_text('first', encoding='utf-8')
        with atomic_path(path) as second:
            assert first != second
            second.write_text('second', encoding='utf-8')
        assert path.read_text(encoding='utf-8') == 'second'
    assert path.read_text(encoding='utf-8') == 'first'
    assert names(tmp_path) == {'file'}


def write_often(path: Path, letter: str) -> None:
    for _ in range(100):
        with atomic_path(path, fsync=False) as partial:
            partial.write_text(letter * 1000, encoding='utf-8')


def test_processes_never_mix_their_content(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    context = multiprocessing.get_context('fork')
    children = [context.Process(target=write_often, args=(path, letter)) for letter in 'abc']
    for child in children:
        child.start()
    while any(child.is_alive() for child in children):
        if path.exists():
            text = path.read_text(encoding='utf-8')
            assert len(text) == 1000 and len(set(text)) == 1
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert names(tmp_path) == {'file'}


@pytest.mark.parametrize('kind', ['folder', 'link', 'pipe'])
def test_what_is_in_the_temporary_files_place_stays(kind: str, tmp_path: Path) -> None:
    path = tmp_path / 'file'
    if kind == 'folder':
        partial_path(path).mkdir()
    elif kind == 'pipe':
        os.mkfifo(partial_path(path))
    else:
        partial_path(path).symlink_to(tmp_path / 'theirs')
    atomic_write(path, 'new')
    assert path.read_text(encoding='utf-8') == 'new'
    assert names(tmp_path) == {'file', '.part-file'}


def test_other_names_of_the_old_file_keep_its_content(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    atomic_write(path, 'old')
    (tmp_path / 'backup').hardlink_to(path)
    atomic_write(path, 'new')
    assert (tmp_path / 'backup').read_text(encoding='utf-8') == 'old'
