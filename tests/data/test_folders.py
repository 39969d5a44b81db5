"""The root of a dataset, and its content in error messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.data.folders import find_root, listing


def test_root_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    assert find_root('~') == tmp_path
    with pytest.raises(FileNotFoundError, match=rf'a dataset at {tmp_path}/none; there is none'):
        find_root('~/none')


def test_listing(tmp_path: Path) -> None:
    assert listing(tmp_path) == 'nothing'
    for name in ('images/b.jpg', 'images/a.jpg', 'other/c.jpg', 'x.txt'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert listing(tmp_path) == 'images/, other/, x.txt, images/a.jpg, images/b.jpg'
    assert listing(tmp_path, limit=2) == 'images/, other/, …'
