"""Read classes.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from effnet_dense.data import LabelClasses
from effnet_dense.data.label_maps.classes import read_classes
from tests.helpers.label_folder import write_classes


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
        ({'classes': {'a': 0}}, "'classes' must be a list of names, got an object"),
        ({'classes': ['a', 1]}, 'must be names, got position 1: 1'),
        ({'classes': ['a', ' ']}, "must be names, got position 1: ' '"),
        ({'classes': ['a', 'b', 'a']}, r"repeats names: 'a' \(2 times\)"),
        ({'classes': ['a']}, r"expected 2 to 255 'classes' .*, got 1"),
        ({'classes': [str(i) for i in range(256)]}, 'got 256'),
        ({'classes': ['a', 'b'], 'ignore': 1}, r"'ignore' is 1, which is also a class.* 0 to 1"),
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
