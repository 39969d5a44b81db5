"""The published rows and the φ that is nearest to each."""

from __future__ import annotations

import pytest

from effnet_dense.analysis.scaling.fit import TOLERANCE, detector_exceptions, fit_family, fit_row
from effnet_dense.scaling import Scale, compound


@pytest.mark.parametrize(
    ('name', 'phi'),
    [
        ('b0', 0.0),
        ('b1', 0.34),
        ('b2', 1.025),
        ('b3', 1.935),
        ('b4', 3.445),
        ('b5', 4.645),
        ('b6', 5.61),
        ('b7', 6.55),
    ],
)
def test_one_phi_reproduces_each_row(name: str, phi: float) -> None:
    fit = fit_family(name)
    assert fit.phi == phi
    assert fit.worst <= TOLERANCE
    assert fit.exceptions == {}


def test_rows_that_no_phi_reproduces_are_named() -> None:
    assert set(fit_family('b8').exceptions) == {'width', 'depth'}
    assert set(fit_family('l2').exceptions) == {'width', 'depth', 'resolution'}


def test_deviations_are_the_formula_s() -> None:
    # At φ = 1 the formula has 1.1, 1.2, 258: this row is that with half of the depth.
    exact = fit_row(compound(1))
    assert (exact.phi, exact.worst) == (1.0, 0.0)
    fit = fit_row(Scale(1.1, 0.6, 258))
    formula = compound(fit.phi)
    assert fit.deviations['depth'] == pytest.approx(formula.depth / 0.6 - 1)
    assert fit.deviations['width'] == pytest.approx(formula.width / 1.1 - 1)
    assert 'depth' in fit.exceptions


def test_detectors_that_leave_the_rule() -> None:
    found = {f'd{phi}': detector_exceptions(f'd{phi}') for phi in range(8)}
    assert {name for name, exceptions in found.items() if not exceptions} == {'d0', 'd1', 'd3'}
    assert found['d5'] == {'image_size': (1152, 1280), 'cells': (8, 7)}
    assert found['d6'] == {'cells': (9, 8)}
    assert detector_exceptions('d7x') == {}


def test_other_families_have_no_phi() -> None:
    with pytest.raises(ValueError, match=r"φ is defined for b0, .*; got 'v2_s'"):
        fit_family('v2_s')
