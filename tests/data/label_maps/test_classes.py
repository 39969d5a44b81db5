"""Read classes.json."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.data import LabelClasses
from effnet_dense.data.label_maps.classes import read_classes
from tests.helpers.label_folder import write_classes

KEYS = ('classes', 'values', 'colours', 'ignore', 'first', 'unknown', '0', '255', '#ff0000', 'car')


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


@pytest.mark.parametrize(
    ('content', 'names', 'values'),
    [
        ({'values': {'0': 'ignore', '255': 'a'}}, ('a',), {0: 255, 255: 0}),
        ({'values': {'255': 'a', '0': None}}, ('a',), {0: 255, 255: 0}),
        ({'values': {'7': 'a', '3': 'b', '9': 'a'}}, ('a', 'b'), {7: 0, 3: 1, 9: 0}),
        ({'values': {'a': 7, 'b': [3, 65535]}}, ('a', 'b'), {7: 0, 3: 1, 65535: 1}),
        ({'classes': ['a', 'b'], 'first': 1}, ('a', 'b'), {0: 255, 1: 0, 2: 1}),
        (
            {'classes': ['a', 'b'], 'first': 2, 'ignore': 255},
            ('a', 'b'),
            {0: 255, 1: 255, 2: 0, 3: 1, 255: 255},
        ),
    ],
)
def test_values(tmp_path: Path, content: Any, names: tuple[str, ...], values: Any) -> None:
    found = read_classes(write_classes(tmp_path, content))
    assert found == LabelClasses(names, None, values)


@pytest.mark.parametrize(
    'content',
    [
        {'colours': {'#ff0000': 'a', '#000000': 'ignore', '#00ff00': 'b'}},
        {'colors': {'[255, 0, 0]': 'a', '0,0,0': None, 'rgb(0, 255, 0)': 'b'}},
        {'colors': {'a': [255, 0, 0], 'ignore': '#000', 'b': 'rgb(0,255,0)'}},
        {'colours': {'a': ['#f00'], 'ignore': [[0, 0, 0]], 'b': [[0, 255, 0]]}},
    ],
)
def test_colours(tmp_path: Path, content: Any) -> None:
    found = read_classes(write_classes(tmp_path, content))
    colours = {0xFF0000: 0, 0: 255, 0x00FF00: 1}
    assert found == LabelClasses(('a', 'b'), None, None, colours)


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ({'values': []}, "'values' must be an object, got a list"),
        ({'values': {}}, "'values' must be an object"),
        ({'values': {'0': 'ignore'}}, 'must name 1 to 255 classes, got 0'),
        ({'values': {'red': 'a'}}, "expected values with the names .*, got 'red': 'a'"),
        ({'values': {'70000': 'a'}}, "got '70000': 'a'"),
        ({'values': {'-1': 'a'}}, "got '-1': 'a'"),
        ({'values': {'1': ''}}, "got '1': ''"),
        ({'values': {'1': 'a', '01': 'b'}}, "'values' names 1 twice"),
        ('{"values": {"1": "a", "1": "b"}}', r"it repeats keys: '1' \(2 times\)"),
        ({'colours': {'red': 'a'}}, "expected colours with the names .*, got 'red': 'a'"),
        ({'colours': {'#fff': 'a', '#FFFFFF': 'b'}}, "'colours' names #ffffff twice"),
        ({'colours': {'a': [[1, 2]]}}, "got 'a': "),
        ({'colours': {'#fff': 'a'}, 'classes': ['a']}, r"one of \['classes', 'colours'\]"),
        ({'values': {'1': 'a'}, 'ignore': 255}, "'ignore' and 'first' belong to 'classes'"),
        ({'classes': ['a', 'b'], 'first': -1}, "'first' must be the value .*, got -1"),
        ({'classes': ['a', 'b'], 'first': True}, "'first' must be .*, got True"),
        ({'classes': ['a', 'b'], 'first': 1, 'ignore': 2}, r'also a class.*values 1 to 2'),
        ({'classes': ['a', 'b'], 'unknown': 0}, '\'unknown\' must be null or "ignore", got 0'),
    ],
)
def test_faulty_tables(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(ValueError, match=rf'classes\.json.*{words}'):
        read_classes(write_classes(tmp_path, content))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 300) | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
@settings(max_examples=50, deadline=None)
def test_any_json(content: Any) -> None:
    with TemporaryDirectory() as folder:
        path = write_classes(Path(folder), json.dumps(content))
        try:
            found = read_classes(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            assert found.names
