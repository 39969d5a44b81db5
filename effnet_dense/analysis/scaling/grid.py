"""The candidates of compound scaling's search (EfficientNet, section 3.3, step 1)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """Bases of depth (α), width (β) and resolution (γ): the network of φ = 1."""

    alpha: float
    beta: float
    gamma: float

    @property
    def name(self) -> str:
        """For folders and charts."""
        return f'a{self.alpha:g}_b{self.beta:g}_g{self.gamma:g}'

    @property
    def product(self) -> float:
        """α·β²·γ², by which FLOPs grow."""
        return self.alpha * self.beta**2 * self.gamma**2


BASE = Candidate(1.0, 1.0, 1.0)


def candidates(budget: float = 2.0, step: float = 0.1, tolerance: float = 0.1) -> list[Candidate]:
    """All α, β, γ ≥ 1 on a grid whose α·β²·γ² is the budget, within a relative tolerance.

    Args:
        budget: By how much FLOPs shall grow from φ = 0 to φ = 1.
        step: From one value to the next, of each of the three.
        tolerance: The paper's own answer, (1.2, 1.1, 1.15), is 4 % below its budget of 2.

    Raises:
        ValueError: A number is out of range, or no candidate is left.
    """
    for name, value, above in (
        ('budget', budget, 1),
        ('step', step, 0),
        ('tolerance', tolerance, 0),
    ):
        if not above < value < math.inf:
            raise ValueError(f'{name} must be a number above {above}, got {value}')
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
