"""The deletion curves of maps."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.explain import STEPS, cell_means, centre, deleted, inside
from effnet_dense.inference.explaining.explainer import Explanation

BOX = np.array([2.0, 4, 6, 8], np.float32)
FOUND = Explanation('cat', 0, 0.9, BOX, None, np.zeros((40, 80), np.float32))


def test_the_highest_cells_go_first() -> None:
    values = np.arange(40 * 80, dtype=np.float32).reshape(40, 80)
    noise = np.random.default_rng(0).integers(1, 256, (40, 80, 3), np.uint8)
    gone = [(image != noise).any(2) for image in deleted(noise, values, 400)]
    areas = [int(each.sum()) for each in gone]
    assert areas == pytest.approx([step * 40 for step in range(STEPS + 1)], abs=2)
    assert gone[-1][-4:].all() and not gone[-1][:-6].any()  # the last rows, in cells of 2 × 2


def test_cells_centre_and_object() -> None:
    assert cell_means(np.array([[1, 3, 5]], np.float32), 2).tolist() == [[2, 5]]
    assert inside(FOUND).sum() == 16 and inside(FOUND)[4:8, 2:6].all()
    nearest = np.unravel_index(centre(FOUND).argmax(), (40, 80))
    assert tuple(map(int, nearest)) == (6, 4)
