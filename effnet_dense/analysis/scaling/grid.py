"""Enumerate the candidates of the search for α, β, γ (EfficientNet, section 3.3, step 1)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """Factors of depth (α), width (β) and resolution (γ) from φ = 0 to φ = 1."""

    alpha: float
    beta: float
    gamma: float

    @property
    def name(self) -> str:
        """The name of the candidate's folder."""
        return f'a{self.alpha:g}_b{self.beta:g}_g{self.gamma:g}'

    @property
    def product(self) -> float:
        """α·β²·γ², the factor of the FLOPs."""
        return self.alpha * self.beta**2 * self.gamma**2


BASE = Candidate(1.0, 1.0, 1.0)


def candidates(budget: float = 2.0, step: float = 0.1, tolerance: float = 0.1) -> list[Candidate]:
    """Return all α, β, γ ≥ 1 on a grid whose α·β²·γ² is the budget, within a tolerance.

    Args:
        budget: The factor of the FLOPs from φ = 0 to φ = 1.
        step: Distance between values of α, β and γ.
        tolerance: Relative to the budget; the paper's result, (1.2, 1.1, 1.15), is 4 % below its
            budget of 2.

    Raises:
        ValueError: A number is out of range, or no candidate remains.
    """
    _check_above('budget', budget, 1)
    _check_above('step', step, 0)
    _check_above('tolerance', tolerance, 0)
    count = int((budget * (1 + tolerance) - 1) / step + 1e-9) + 1
    values = [round(1 + index * step, 6) for index in range(count)]
    every = itertools.starmap(Candidate, itertools.product(values, repeat=3))
    found = [c for c in every if abs(c.product / budget - 1) <= tolerance + 1e-9]
    if not found:
        raise ValueError(
            f'no α, β, γ on a grid of {step} has α·β²·γ² within {tolerance:.0%} of {budget}: '
            'take a smaller step or a larger tolerance'
        )
    return found


def _check_above(name: str, value: float, limit: int) -> None:
    if not limit < value < math.inf:
        raise ValueError(f'{name} must be a number above {limit}, got {value}')
