"""Which files are the package's, and what happens to others."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from effnet_dense.utils.outputs import (
    MARK,
    adopt,
    check_free,
    check_not_read,
    check_outside,
    claim,
    claim_folder,
    is_ours,
    release,
    remove_ours,
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
