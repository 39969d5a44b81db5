"""Which files are predicted on, and how their results are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.inference.inputs import find_inputs
from effnet_dense.utils.outputs import claim


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, a video and a text; the results' folder lies in it."""
    for name in ('b.JPG', 'a.png', 'deep/v.mp4', 'notes.txt', 'out/c.png'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'')
    return tmp_path


def test_folders_are_searched_and_files_are_taken(folder: Path) -> None:
    found = find_inputs([folder, folder / 'notes.txt'], folder / 'out')
    assert [(item.name, item.is_video) for item in found] == [
        ('a.png', False),
        ('b.JPG', False),
        ('deep/v.mp4', True),
        ('notes.txt', False),
    ]
    assert all(item.path.is_file() for item in found)


def test_a_file_that_is_given_twice_counts_once(folder: Path) -> None:
    sources = [folder, folder / 'a.png', folder / 'deep' / 'v.mp4']
    assert find_inputs(sources, folder / 'out') == find_inputs([folder], folder / 'out')


def test_equal_names_are_told_apart_by_their_folders(folder: Path) -> None:
    found = find_inputs([folder / 'a.png', folder / 'out'], folder / 'new')
    assert [item.name for item in found] == ['a.png', 'c.png']
    (folder / 'out' / 'a.png').write_bytes(b'')
    found = find_inputs([folder / 'a.png', folder / 'out'], folder / 'new')
    assert [item.name for item in found] == ['a.png', 'out/a.png', 'out/c.png']


def test_results_beside_their_images_are_not_read(folder: Path) -> None:
    claim(folder / 'pictures' / 'a.png').write_bytes(b'')
    (folder / 'pictures' / 'mine.png').write_bytes(b'')
    names = [item.name for item in find_inputs([folder], folder)]
    assert names == ['a.png', 'b.JPG', 'deep/v.mp4', 'out/c.png', 'pictures/mine.png']
    assert find_inputs([folder / 'pictures' / 'a.png'], folder)[0].name == 'a.png'


def test_absent_and_empty_sources(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match='absent'):
        find_inputs([folder / 'absent'], folder / 'out')
    (folder / 'none').mkdir()
    with pytest.raises(FileNotFoundError, match='none has no images or videos'):
        find_inputs([folder / 'none'], folder / 'out')


def test_other_files_are_named(tmp_path: Path) -> None:
    for name in ('a.jpg', 'b.HEIC', 'c.avif', 'd.npy', 'e.txt', 'f.txt', 'README'):
        (tmp_path / 'in' / name).parent.mkdir(exist_ok=True)
        (tmp_path / 'in' / name).write_bytes(b'')
    notes: list[str] = []
    found = find_inputs([tmp_path / 'in'], tmp_path / 'out', note=notes.append)
    assert [item.name for item in found] == ['a.jpg', 'b.HEIC', 'c.avif']
    assert notes == [
        f'{tmp_path}/in: 4 files that are no images or videos are left out: 1 × .npy, 2 × .txt, '
        '1 × without a suffix (README, d.npy, e.txt, …)'
    ]
    found = find_inputs([tmp_path / 'in'], tmp_path / 'out', more=['.npy'])
    assert [item.name for item in found][-1] == 'd.npy'
