"""Cells as text."""

from __future__ import annotations

import pytest

from effnet_dense.report.scores import Difference, Score
from effnet_dense.report.sections import Cell, show


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        *((0.12345, '0.123'), (1.0, '1.000'), (float('nan'), '–'), (7, '7'), ('cat', 'cat')),
        *((Score(0.5849), '0.58'), (Difference(0.1), '+0.100'), (Difference(-0.1), '-0.100')),
        *((Difference(0.0), '0.000'), (Difference('nan'), '–')),
    ],
)
def test_cells(value: Cell, text: str) -> None:
    assert show(value) == text
