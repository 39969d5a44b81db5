"""Scores and sums of pixels by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from effnet_dense.report.segmentation import accuracy, evaluate
from effnet_dense.report.segmentation_sections import class_table


def test_scores_and_sum_by_hand() -> None:
    # The first: class 0 with IoU 3/4, class 1 with 1/2; the second only class 0, all of it.
    first, second = [[3, 1, 0], [0, 1, 0], [0, 0, 0]], [[4, 0, 0], [0, 0, 0], [0, 0, 0]]
    results = [
        dict(path='', matrix=torch.tensor(matrix).to_sparse())
        for matrix in (first, second, [[0] * 3] * 3)
    ]
    found = evaluate(results)
    assert found.scores[:2].tolist() == pytest.approx([0.625, 1])
    assert np.isnan(found.scores[2]), 'only ignored pixels'
    assert found.matrix.tolist() == [[7, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert accuracy(found.matrix)[:2].tolist() == pytest.approx([7 / 8, 1])
    rows = class_table(found, ('a', 'b', 'c')).rows
    assert list(rows[0][1:]) == pytest.approx([7 / 8, 7 / 8, 8 / 9, 7 / 9])
    assert [row[3] for row in rows] == pytest.approx([8 / 9, 1 / 9, 0])
    assert np.isnan([rows[2][1], rows[2][2]]).all()
