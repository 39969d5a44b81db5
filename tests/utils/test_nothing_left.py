"""A refused run leaves nothing that it wrote, and everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.utils.atomic import atomic_write
from effnet_dense.utils.nothing_left import nothing_left
from effnet_dense.utils.outputs import write_output


def write_and_fail(folder: Path) -> None:
    with pytest.raises(ValueError, match='refused'), nothing_left(folder):
        (folder / 'data').mkdir(parents=True, exist_ok=True)
        atomic_write(folder / 'data' / 'new.json', 'new', fsync=False)
        atomic_write(folder / 'data' / 'old.json', 'changed', fsync=False)
        write_output(folder / 'list.json', 'new', fsync=False)
        raise ValueError('refused')


def test_new_folders_go(tmp_path: Path) -> None:
    write_and_fail(tmp_path / 'above' / 'work')
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / 'data').mkdir()
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'data' / 'old.json').write_text('old', encoding='utf-8')
    write_and_fail(tmp_path)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob('*')) == [
        'data',
        'data/old.json',
        'empty',
    ]


def test_files_of_others_stay(tmp_path: Path) -> None:
    work = tmp_path / 'work'
    with pytest.raises(ValueError, match='refused'), nothing_left(work):
        work.mkdir()
        (work / 'theirs').touch()
        atomic_write(work / 'ours', '', fsync=False)
        raise ValueError('refused')
    assert [path.name for path in work.iterdir()] == ['theirs']


def test_without_an_error_all_stays(tmp_path: Path) -> None:
    with nothing_left(tmp_path / 'work'):
        (tmp_path / 'work').mkdir()
        atomic_write(tmp_path / 'work' / 'ours', '', fsync=False)
    assert (tmp_path / 'work' / 'ours').exists()
