"""How far outputs lie from each other."""

from __future__ import annotations

import numpy as np
import pytest

from effnet_dense.exporting.raw_outputs import largest_difference, mean_difference

EXPECTED = [np.array([0.0, 4.0]), np.array([1, 2, 3, 4])]


def test_differences() -> None:
    found = [np.array([0.0, 3.0]), np.array([1, 2, 3, 0])]
    assert largest_difference(found, EXPECTED) == pytest.approx(0.25)
    assert largest_difference(found[:1], [np.array([0.0, 2.0])]) == pytest.approx(0.5)
    assert mean_difference(found, EXPECTED) == pytest.approx(0.25)
    assert mean_difference(found[1:], EXPECTED[1:]) == pytest.approx(0.25)
    assert largest_difference(EXPECTED, EXPECTED) == mean_difference(EXPECTED, EXPECTED) == 0
