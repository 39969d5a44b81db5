"""The order of images."""

from __future__ import annotations

import numpy as np
import pytest

from effnet_dense.report.ranking import best_and_worst

NAN = float('nan')


@pytest.mark.parametrize(
    ('scores', 'best', 'worst'),
    [
        ([0.2, 0.9, NAN, 0.5, 0.7, 0.1], [1, 4], [5, 0]),
        ([0.2, 0.9, 0.5], [1, 2], [0]),
        ([0.5, 0.5, 0.5, 0.5], [0, 1], [3, 2]),
        ([NAN], [], []),
    ],
)
def test_best_and_worst(scores: list[float], best: list[int], worst: list[int]) -> None:
    found = best_and_worst(np.array(scores), count=2)
    assert [each.tolist() for each in found] == [best, worst]
