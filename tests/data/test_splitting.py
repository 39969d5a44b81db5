"""Splits by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.data.splitting import split_names

NAMES = st.sets(st.text(max_size=6), min_size=2, max_size=30)


@given(NAMES, st.floats(0.05, 0.95), st.integers(0, 9), st.text(max_size=6))
@settings(max_examples=50, deadline=None)
def test_every_name_has_one_part_and_keeps_it(
    names: set[str], share: float, seed: int, new: str
) -> None:
    parts = split_names(names, share, seed)
    assert sorted(parts['train'] + parts['val']) == sorted(names)
    assert parts['train'] and parts['val']
    more = split_names(names | {new}, share, seed)
    moved = set(parts['val']) ^ (set(more['val']) - ({new} - names))
    assert len(moved) <= 1  # the one that the smallest parts need


def test_share_seed_and_groups() -> None:
    names = [f'{video}_{frame}' for video in range(200) for frame in range(5)]
    val = split_names(names)['val']
    assert 150 < len(val) < 250
    assert split_names(reversed(names))['val'] == val != split_names(names, seed=1)['val']
    parts = split_names(names, group_of=lambda name: name.split('_')[0])
    videos = [{name.split('_')[0] for name in part} for part in parts.values()]
    assert not videos[0] & videos[1]


@pytest.mark.parametrize('share', [0, 1, -1, 20])
def test_shares(share: float) -> None:
    with pytest.raises(ValueError, match=f'a share between 0 and 1, got {share}'):
        split_names(['a', 'b'], share)


def test_one_name_is_trained_on() -> None:
    assert split_names(['a']) == {'train': ('a',), 'val': ()}
