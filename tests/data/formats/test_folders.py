"""Folders are listed in natural order, without regard to case, and once."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.data.formats.folders import Folders, natural


def test_numbers_are_sorted_by_value() -> None:
    names = ['b2', 'B10', 'b1', 'a', '10', '9', '9a', '09', '']
    assert sorted(names, key=natural) == ['', '09', '9', '9a', '10', 'a', 'b1', 'b2', 'B10']


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(alphabet='aB0129_.²٣', max_size=6), max_size=6))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    assert sorted(sorted(names, key=natural), key=natural) == sorted(names, key=natural)


def test_listings(tmp_path: Path) -> None:
    for name in ('Images/A.PNG', 'Images/Sub/b.jpg', 'images10.txt', '.hidden', '__MACOSX/a.png'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'loop').symlink_to(tmp_path)
    folders = Folders(tmp_path)
    assert list(folders(tmp_path).files) == ['images10.txt']
    assert folders.sub(tmp_path, 'images', 'sub') == tmp_path / 'Images/Sub'
    assert folders.sub(tmp_path, 'nothing', 'sub') is None
    assert [path.name for path in folders.images(tmp_path / 'Images')] == ['A.PNG', 'b.jpg']
    assert folders(tmp_path / 'none').files == {}
    assert len(folders.images(tmp_path)) == 2
