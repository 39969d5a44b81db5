"""No two inputs share an output."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

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


@pytest.mark.parametrize('seed', range(200))
def test_results_are_distinct_and_free(seed: int) -> None:
    draw = random.Random(seed)

    def word() -> str:
        return draw.choice('aAb') + ''.join(draw.choices('aAb.', k=draw.randrange(3)))

    suffixes = ('.jpg', '.png', '.jpg.png', '')
    names = list({word() + draw.choice(suffixes) for _ in range(draw.randrange(12))})
    taken = {word() for _ in range(draw.randrange(4))}
    for made in (replace_suffix(names, '.png', taken), drop_suffix(names, taken)):
        assert list(made) == names
        results = [name.casefold() for name in made.values()]
        assert len(set(results)) == len(names)
        assert not set(results) & {name.casefold() for name in taken}
