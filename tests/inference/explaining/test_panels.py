"""Drawn maps and their arrangement."""

from __future__ import annotations

import numpy as np

from effnet_dense.inference.explaining.explainer import Explanation
from effnet_dense.inference.explaining.panels import GAP, draw_heat, tiled


def test_pixels_without_heat_keep_their_colours() -> None:
    image = np.full((100, 120, 3), 90, np.uint8)
    heat = np.zeros((100, 120), np.float32)
    heat[80:90, 100:110] = 1
    box = np.array([10.0, 30, 60, 70], np.float32)
    drawn = draw_heat(image, Explanation('cat', 0, 0.9, box, None, heat))
    assert (drawn[72:79] == 90).all() and (drawn[30, 10:61] == 255).all()
    blue, _, red = drawn[85, 105].astype(int)
    assert red > blue + 50
    assert (image == 90).all()


def test_panels_are_in_rows() -> None:
    panels = [np.full((10, 20, 3), value, np.uint8) for value in (1, 2, 3)]
    drawn = tiled(panels)
    assert drawn.shape == (20 + GAP, 40 + GAP, 3)
    assert drawn[0, 0, 0] == 1 and drawn[0, -1, 0] == 2 and drawn[-1, 0, 0] == 3
    assert (drawn[-1, -1] == 255).all() and (drawn[10] == 255).all()
    assert np.array_equal(tiled(panels[:1]), panels[0])
