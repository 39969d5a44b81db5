"""No two inputs share an output."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.utils.output_names import drop_suffix, folders_of, relative_names, replace_suffix


def test_paths_below_the_common_folder() -> None:
    assert relative_names([]) == {}
    assert relative_names(['/x/a.jpg', '/x/b.jpg']) == {'/x/a.jpg': 'a.jpg', '/x/b.jpg': 'b.jpg'}
    names = relative_names([Path('/x/c0/1.jpg'), Path('/x/c1/../c1/1.jpg'), Path('/x/c1/2/1.jpg')])
    assert list(names.values()) == ['c0/1.jpg', 'c1/1.jpg', 'c1/2/1.jpg']


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        (['a.jpg', 'd/a.jpg'], ['a.png', 'd/a.png']),
        (['a.jpg', 'a.png', 'b.jpg'], ['a.jpg.png', 'a.png.png', 'b.png']),
        (['A.jpg', 'a.bmp'], ['A.jpg.png', 'a.bmp.png']),
        (['A.jpg', 'a.jpg'], ['A.jpg.png', 'a.jpg.png.png']),
    ],
)
def test_suffixes(names: list[str], expected: list[str]) -> None:
    made = replace_suffix(names, '.png')
    assert list(made.values()) == expected


def test_taken_names() -> None:
    folders = folders_of(['street/0.jpg', 'a/b/c.jpg'])
    assert folders == {'street', 'a', 'a/b'}
    made = drop_suffix(['street.mp4', 'road.mp4', 'a/b.avi'], folders)
    assert list(made.values()) == ['street.mp4', 'road', 'a/b.avi']
    assert drop_suffix(['x.mp4', 'x.avi'], {'x.mp4'}) == {'x.mp4': 'x.mp4_', 'x.avi': 'x.avi'}


WORDS = st.from_regex(r'[aAb][aAb.]{0,2}(\.jpg|\.png|\.jpg\.png)?', fullmatch=True)


@given(st.lists(WORDS, max_size=12, unique=True), st.sets(WORDS, max_size=4))
@settings(max_examples=200)
def test_results_are_distinct_and_free(names: list[str], taken: set[str]) -> None:
    for made in (replace_suffix(names, '.png', taken), drop_suffix(names, taken)):
        assert list(made) == names
        results = [name.casefold() for name in made.values()]
        assert len(set(results)) == len(names)
        assert not set(results) & {name.casefold() for name in taken}
