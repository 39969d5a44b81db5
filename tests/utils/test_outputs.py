"""Which files are the package's, and what happens to others."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.utils import outputs
from effnet_dense.utils.outputs import (
    MARK,
    adopt,
    check_free,
    check_not_read,
    check_outside,
    claim,
    claim_folder,
    content_of,
    is_ours,
    record,
    release,
    remove_ours,
    write_output,
)

NAMES = ['a.txt', 'ä ö.txt', 'line\nbreak', '-x', '+"y"', '#']


def write(path: Path, text: str = 'ours') -> Path:
    claim(path).write_text(text, encoding='utf-8')
    return path


@pytest.mark.parametrize('name', NAMES)
def test_a_claimed_file_may_be_replaced(name: str, tmp_path: Path) -> None:
    path = tmp_path / 'deep' / name
    assert not is_ours(path)
    write(path)
    assert is_ours(path) and claim(path) == path
    release(path)
    assert not is_ours(path)
    with pytest.raises(FileExistsError, match='did not write'):
        claim(path)
    adopt(path)
    assert is_ours(path)


def test_files_folders_and_broken_links_of_others(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('theirs', encoding='utf-8')
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'absent')
    for name in ('file', 'folder', 'link'):
        with pytest.raises(FileExistsError, match=name):
            claim(tmp_path / name)
    with pytest.raises(FileExistsError, match=r'file, .*folder, .*link; move'):
        check_free(tmp_path / name for name in ('file', 'folder', 'link', 'absent'))
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize('kind', ['file', 'link', 'folder'])
def test_a_list_of_others_is_not_written_to(kind: str, tmp_path: Path) -> None:
    mark, theirs = tmp_path / MARK, tmp_path / 'theirs'
    theirs.write_text('theirs', encoding='utf-8')
    if kind == 'file':
        mark.write_text('+"a"\n', encoding='utf-8')
    elif kind == 'link':
        mark.symlink_to(theirs)
    else:
        mark.mkdir()
    with pytest.raises(FileExistsError, match=MARK):
        claim(tmp_path / 'a')
    assert theirs.read_text(encoding='utf-8') == 'theirs'
    assert kind != 'file' or mark.read_text(encoding='utf-8') == '+"a"\n'


@pytest.mark.parametrize('name', ['../theirs', '{root}/theirs', 'sub/../../theirs', '..', '.', ''])
def test_a_list_of_a_stranger_names_nothing_elsewhere(name: str, tmp_path: Path) -> None:
    theirs, report = tmp_path / 'theirs', tmp_path / 'report'
    theirs.write_text('theirs', encoding='utf-8')
    write(report / 'sub' / 'a')
    write(report / 'b')
    with (report / MARK).open('a', encoding='utf-8') as file:
        file.write(f'+{json.dumps(name.format(root=tmp_path))}\n')
    remove_ours(report)
    assert theirs.read_text(encoding='utf-8') == 'theirs' and not report.exists()


def test_a_link_in_place_of_an_output_is_foreign(tmp_path: Path) -> None:
    theirs, path = tmp_path / 'theirs', write(tmp_path / 'results' / 'a.png')
    theirs.write_text('theirs', encoding='utf-8')
    path.unlink()
    path.symlink_to(theirs)
    assert not is_ours(path)
    with pytest.raises(FileExistsError, match='did not write'):
        claim(path)
    remove_ours(path.parent)
    assert path.is_symlink() and theirs.read_text(encoding='utf-8') == 'theirs'


def test_a_list_that_a_kill_has_cut(tmp_path: Path) -> None:
    write(tmp_path / 'a')
    with (tmp_path / MARK).open('a', encoding='utf-8') as file:
        file.write('+"b\n')
    assert is_ours(tmp_path / 'a') and not is_ours(tmp_path / 'b')


def test_a_list_whose_header_is_not_written_yet(tmp_path: Path) -> None:
    """By another process, or because of a kill."""
    (tmp_path / MARK).touch()
    write(tmp_path / 'a')
    assert is_ours(tmp_path / 'a')


def edit(path: Path) -> None:
    path.write_text('mine', encoding='utf-8')


def edit_in_place(path: Path) -> None:
    """Same size, same file."""
    path.write_text(path.read_text(encoding='utf-8').swapcase(), encoding='utf-8')
    os.utime(path, ns=(0, 1))


def exchange(path: Path) -> None:
    path.unlink()
    path.write_text('mine', encoding='utf-8')


def exchange_for_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize('change', [edit, edit_in_place, exchange, exchange_for_folder])
@pytest.mark.parametrize('way', ['at once', 'in place'])
def test_what_the_user_changed_is_foreign(
    change: Callable[[Path], None], way: str, tmp_path: Path
) -> None:
    path = tmp_path / 'report' / 'index.html'
    if way == 'at once':
        write_output(path, 'ours')
    else:
        record(write(path))
    assert is_ours(path)
    change(path)
    assert not is_ours(path)
    with pytest.raises(FileExistsError, match='changed since'):
        write_output(path, 'new')
    remove_ours(path.parent)
    assert path.exists()


def test_copied_folders_and_earlier_content_are_ours(tmp_path: Path) -> None:
    path = tmp_path / 'a' / 'x'
    for text in ('first', 'other'):
        write_output(path, text)
    shutil.copytree(tmp_path / 'a', tmp_path / 'b', copy_function=shutil.copyfile)
    (tmp_path / 'b' / 'x').touch()
    assert is_ours(tmp_path / 'b' / 'x')
    (tmp_path / 'b' / 'x').write_text('first', encoding='utf-8')
    assert is_ours(tmp_path / 'b' / 'x')


@given(st.integers(0, 40), st.integers(0, 39))
@settings(max_examples=40, deadline=None)
def test_a_changed_block_of_a_large_file_is_found(size: int, place: int) -> None:
    """With smaller blocks; of files beyond all blocks most bytes differ."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(outputs, 'SAMPLES', 8)
        patch.setattr(outputs, 'SAMPLE_BYTES', 5)
        path = Path(folder, 'x')
        path.write_bytes(bytes(size))
        before = content_of(path)
        changed = bytearray(size)
        if place < size:
            changed[place] = 1
        path.write_bytes(changed)
        assert (content_of(path).digest != before.digest) == (place < size)


def test_a_killed_writer_leaves_the_old_file_ours(tmp_path: Path) -> None:
    path = write_output(tmp_path / 'x', 'old')

    class Killed(BaseException):
        pass

    def kill(*paths: Path) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(os, 'replace', kill)
        write_output(path, 'new')
    assert path.read_text(encoding='utf-8') == 'old' and is_ours(path)


def test_hard_links_keep_their_content(tmp_path: Path) -> None:
    path, backup = tmp_path / 'x', tmp_path / 'backup'
    record(write(path, 'old'))
    backup.mkdir()
    for name in ('x', MARK):
        (backup / name).hardlink_to(tmp_path / name)
    listed = (backup / MARK).read_bytes()
    with claim(path).open('a', encoding='utf-8') as file:
        file.write(' and new')
    assert (backup / 'x').read_text(encoding='utf-8') == 'old'
    assert (backup / MARK).read_bytes() == listed
    assert path.read_text(encoding='utf-8') == 'old and new'


def test_a_claimed_file_that_was_not_written_is_released(tmp_path: Path) -> None:
    record(claim(tmp_path / 'x'))
    (tmp_path / 'x').write_text('theirs', encoding='utf-8')
    assert not is_ours(tmp_path / 'x')


def test_a_long_list_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    parse = outputs._parse
    monkeypatch.setattr(
        outputs, '_parse', lambda text, names: parsed.append(len(text)) or parse(text, names)
    )
    for number in range(100):
        write_output(tmp_path / f'{number}', 'ours', fsync=False)
    assert all(is_ours(tmp_path / f'{number}') for number in range(100))
    assert sum(parsed) <= (tmp_path / MARK).stat().st_size


def claim_many(folder: Path, start: int) -> None:
    for number in range(start, start + 50):
        write(folder / str(number))


def test_processes_share_a_list(tmp_path: Path) -> None:
    context = multiprocessing.get_context('spawn')
    children = [context.Process(target=claim_many, args=(tmp_path, n)) for n in (0, 50, 100)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert all(is_ours(tmp_path / str(number)) for number in range(150))


def test_removing_leaves_what_is_not_ours(tmp_path: Path) -> None:
    root = tmp_path / 'report'
    for name in ('a', 'deep/b', 'mixed/c'):
        write(root / name)
    (root / 'mixed' / 'theirs').write_text('theirs', encoding='utf-8')
    (root / 'empty').mkdir()
    (tmp_path / 'elsewhere').mkdir()
    write(tmp_path / 'elsewhere' / 'd')
    (root / 'link').symlink_to(tmp_path / 'elsewhere')
    remove_ours(root)
    left = {path.relative_to(root).as_posix() for path in root.rglob('*')}
    assert left == {'mixed', 'mixed/theirs', 'empty', 'link'}
    assert (tmp_path / 'elsewhere' / 'd').is_file()
    remove_ours(tmp_path / 'absent')
    claim_folder(tmp_path / 'new')
    remove_ours(tmp_path / 'new')
    assert not (tmp_path / 'new').exists()


def test_inputs_are_found_behind_links(tmp_path: Path) -> None:
    image = tmp_path / 'a.png'
    image.write_text('', encoding='utf-8')
    (tmp_path / 'soft').symlink_to(image)
    (tmp_path / 'hard').hardlink_to(image)
    for name in ('a.png', 'soft', 'hard', '../' + tmp_path.name + '/a.png'):
        with pytest.raises(ValueError, match='this run reads'):
            check_not_read([tmp_path / name], [tmp_path / 'absent', image])
    check_not_read([tmp_path / 'new.png', tmp_path / 'a.png'], [tmp_path / 'absent'])


def test_a_folder_among_inputs(tmp_path: Path) -> None:
    images = tmp_path / 'images'
    images.mkdir()
    (tmp_path / 'link').symlink_to(images)
    for folder in (images, images / 'new' / 'er', tmp_path / 'link' / 'x'):
        with pytest.raises(ValueError, match='choose another folder'):
            check_outside(folder, [tmp_path / 'absent', images])
    check_outside(tmp_path / 'work', [images])
    check_outside(tmp_path, [images])
