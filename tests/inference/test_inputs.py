"""Which files are predicted on, and how their results are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.inference.inputs import find_inputs


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


def test_results_that_would_replace_each_other(folder: Path) -> None:
    with pytest.raises(ValueError, match=r'1 names of images occur more than once.*: a;'):
        find_inputs([folder, folder / 'a.png'], folder / 'out')
    with pytest.raises(FileNotFoundError, match='absent'):
        find_inputs([folder / 'absent'], folder / 'out')
    (folder / 'none').mkdir()
    with pytest.raises(FileNotFoundError, match='none has no images or videos'):
        find_inputs([folder / 'none'], folder / 'out')
