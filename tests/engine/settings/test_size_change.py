"""Sizes in pixels that follow the size of the images."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.engine.settings.size_change import SizeChange

SIDES = st.integers(32, 2048)


@settings(max_examples=50)
@given(SIDES, SIDES, SIDES, SIDES, st.booleans())
def test_the_size_itself_becomes_the_new_one(a: int, b: int, c: int, d: int, crops: bool) -> None:
    change = SizeChange((a, b), (c, d), crops)
    assert change.exact((a, b)) == (c, d)
    if not crops:
        assert change.fit((a, b)) == change.fit((b, a)) == (c, d)


@settings(max_examples=50)
@given(SIDES, SIDES, st.integers(1, 4000), st.integers(1, 4000), st.booleans())
def test_the_same_size_changes_nothing(a: int, b: int, c: int, d: int, crops: bool) -> None:
    change = SizeChange((a, b), (a, b), crops)
    assert change.exact((c, d)) == (c, d)
    assert sorted(change.fit((c, d))) == sorted((c, d))  # the order of a scale says nothing
    assert change.side(c) == c


@pytest.mark.parametrize(
    ('change', 'scale', 'expected'),
    [
        (SizeChange((1333, 800), (640, 640)), (1333, 640), (512, 512)),
        (SizeChange((1333, 800), (1000, 600)), (1333, 640), (1000, 480)),
        (SizeChange((1333, 800), (640, 640)), (800, 1333), (640, 640)),
        (SizeChange((640, 640), (320, 320)), (1280, 1280), (640, 640)),
        (SizeChange((512, 512), (256, 256), crops=True), (2048, 512), (1024, 256)),
        (SizeChange((1024, 512), (256, 256), crops=True), (2048, 1024), (1024, 512)),
    ],
)
def test_scales(change: SizeChange, scale: tuple[int, int], expected: tuple[int, int]) -> None:
    assert change.fit(scale) == expected


def test_borders_and_unlimited_sides() -> None:
    change = SizeChange((640, 640), (320, 320))
    assert change.exact((-320, -320)) == (-160, -160)
    assert change.fit((math.inf, 640))[0] == math.inf
    assert change.height(480, 32) == 256
