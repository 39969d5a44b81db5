"""classes.json, and which image belongs to which label map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from effnet_dense.data import LabelClasses, LabelSplit
from effnet_dense.data.image_files import list_files
from effnet_dense.data.label_maps.classes import read_classes
from effnet_dense.data.label_maps.pairs import find_pairs
from tests.helpers.label_folder import label, write_classes, write_image, write_label


@pytest.mark.parametrize(
    ('content', 'ignore'),
    [
        ({'classes': ['a', 'b']}, None),
        ({'classes': ['a', 'b'], 'ignore': None}, None),
        ({'classes': ['a', 'b'], 'ignore': 2, 'url': 'more'}, 2),
        ({'classes': ['a', 'b'], 'ignore': 65535}, 65535),
    ],
)
def test_classes(tmp_path: Path, content: Any, ignore: int | None) -> None:
    assert read_classes(write_classes(tmp_path, content)) == LabelClasses(('a', 'b'), ignore)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('', 'not valid JSON'),
        ('{"classes": ["a", "b"', 'not valid JSON'),
        ('["a", "b"]', 'got a list'),
        ({'names': ['a', 'b']}, r"got the keys \['names'\]"),
        ({'classes': {'a': 0}}, "'classes' must be a list of names, got a object"),
        ({'classes': ['a', 1]}, 'must be names, got position 1: 1'),
        ({'classes': ['a', ' ']}, "must be names, got position 1: ' '"),
        ({'classes': ['a', 'b', 'a']}, r"more than once: 'a' \(2 times\)"),
        ({'classes': ['a']}, r"expected 2 to 255 'classes' .*, got 1"),
        ({'classes': [str(i) for i in range(256)]}, 'got 256'),
        ({'classes': ['a', 'b'], 'ignore': 1}, r"'ignore' is 1, which is a class .* 0 to 1"),
        ({'classes': ['a', 'b'], 'ignore': '255'}, "'ignore' must be null or .*, got '255'"),
        ({'classes': ['a', 'b'], 'ignore': True}, 'got True'),
        ({'classes': ['a', 'b'], 'ignore': [255]}, r'got \[255\]'),
        ({'classes': ['a', 'b'], 'ignore': -1}, 'got -1'),
        ({'classes': ['a', 'b'], 'ignore': 65536}, 'got 65536'),
    ],
)
def test_faulty_classes(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(ValueError, match=rf'classes\.json.*{words}'):
        read_classes(write_classes(tmp_path, content))


def test_no_classes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'expected .*classes\.json with {"classes": \['):
        read_classes(tmp_path / 'classes.json')


def test_pairs(tmp_path: Path) -> None:
    split = LabelSplit(tmp_path / 'images', tmp_path / 'labels')
    for name in ('b.jpg', 'a.PNG', 'town/a.tif', 'alone.jpg', 'c.d.png', '.hidden.jpg'):
        write_image(split.image_dir / name)
    (split.image_dir / 'b.txt').write_text('no image')
    for name in ('a.png', 'b.png', 'town/a.png', 'c.d.png', 'lonely.png', '.hidden.png'):
        write_label(split.label_dir / name, label(0, 1))
    pairs = [
        (str(p.image.relative_to(split.image_dir)), str(p.label.relative_to(split.label_dir)))
        for p in find_pairs(split)
    ]
    assert pairs == [
        ('a.PNG', 'a.png'),
        ('b.jpg', 'b.png'),
        ('c.d.png', 'c.d.png'),
        ('town/a.tif', 'town/a.png'),
    ]


def test_hidden_folders_are_left_out(tmp_path: Path) -> None:
    write_image(tmp_path / '.thumbs' / 'a.jpg')
    write_image(tmp_path / 'seen' / 'a.jpg')
    assert [str(file) for file in list_files(tmp_path)] == ['seen/a.jpg']
