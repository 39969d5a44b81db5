"""Candidates of the search."""

from __future__ import annotations

import re

import pytest

from effnet_dense.analysis.scaling.grid import Candidate, candidates


def test_all_that_cost_the_budget() -> None:
    # On a grid of 0.2 within 12 % of 2: α·β²·γ² from 1.76 to 2.24.
    found = {(c.alpha, c.beta, c.gamma) for c in candidates(2.0, 0.2, 0.12)}
    assert found == {
        (1.0, 1.0, 1.4),  # 1.96
        (1.0, 1.2, 1.2),  # 2.07
        (1.0, 1.4, 1.0),
        (1.4, 1.0, 1.2),  # 2.016
        (1.4, 1.2, 1.0),
        (1.8, 1.0, 1.0),
        (2.0, 1.0, 1.0),
        (2.2, 1.0, 1.0),
    }


def test_the_papers_answer_is_among_them() -> None:
    found = candidates(2.0, 0.05, 0.05)
    assert Candidate(1.2, 1.1, 1.15) in found
    assert all(abs(c.product / 2 - 1) <= 0.05 + 1e-9 for c in found)
    assert Candidate(1.2, 1.1, 1.15).product == pytest.approx(1.92027)


def test_names_differ() -> None:
    found = candidates()
    assert len({c.name for c in found}) == len(found)
    assert Candidate(1.2, 1.1, 1.15).name == 'a1.2_b1.1_g1.15'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((1.0, 0.1, 0.1), 'budget must be a number above 1, got 1.0'),
        ((2.0, 0.0, 0.1), 'step must be a number above 0, got 0.0'),
        ((2.0, 0.1, float('nan')), 'tolerance must be a number above 0, got nan'),
        ((2.0, 0.7, 0.01), 'no α, β, γ on a grid of 0.7 has α·β²·γ² within 1% of 2.0'),
    ],
)
def test_impossible_grids(arguments: tuple[float, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        candidates(*arguments)
