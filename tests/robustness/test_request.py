"""What is asked for is checked before anything is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.commands import robustness
from effnet_dense.robustness import attacks, request
from effnet_dense.robustness.request import Request


def test_values_are_ordered_and_counted() -> None:
    made = Request(['fog', 'noise'], [5, 1, 5], ['pgd'], [4, 0.5])
    assert made.corruptions == ('gaussian_noise', 'shot_noise', 'impulse_noise', 'fog')
    assert made.severities == (1, 5) and made.epsilons == (0.5, 4.0)
    assert made.evaluations == 1 + 4 * 2 + 2
    assert Request().evaluations == 1 + 15 * 5 + 2 * 5


@pytest.mark.parametrize(
    ('arguments', 'match'),
    [
        (dict(corruptions=['blurr']), r"no corruption 'blurr' \(nearest: 'blur'\)"),
        (dict(severities=[0]), 'severity from 1 to 5, got 0'),
        (dict(severities=[]), 'expected severities'),
        (dict(attacks=['fsgm']), r"no attack 'fsgm' \(nearest: 'fgsm'\)"),
        (dict(epsilons=[-1.0]), 'radius ε above 0, at most 255 grey levels, got -1.0'),
        (dict(epsilons=[300]), 'got 300'),
        (dict(epsilons=[float('nan')]), 'got nan'),
        (dict(epsilons=[]), 'expected radii'),
        (dict(pgd_steps=0), 'pgd_steps must be a whole number, at least 1, got 0'),
        (dict(max_images=0), 'max_images must be a whole number, at least 1, got 0'),
        (dict(pictures=-1), 'pictures must be'),
        (dict(seed=0.5), 'seed must be a whole number, at least 0, got 0.5'),
        (dict(corruptions=[], attacks=[]), 'got neither'),
    ],
)
def test_what_cannot_be_tested(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Request(**arguments)


def test_the_command_has_the_same_values() -> None:
    assert robustness.ATTACKS == attacks.ATTACKS
    assert Request().severities == robustness.SEVERITIES
    assert robustness.EPSILONS == request.EPSILONS
    assert robustness.PGD_STEPS == request.PGD_STEPS
