"""Colours for classes."""

from __future__ import annotations

from effnet_dense.data.palette import palette


def test_palette_has_as_many_different_colours() -> None:
    for n in (0, 1, 80, 200):
        colours = palette(n)
        assert len(set(colours)) == n
        assert all(0 <= value <= 255 for colour in colours for value in colour)
