"""What a stress test is to measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from effnet_dense.data.transforms.corruption import (
    CORRUPTIONS,
    SEVERITIES,
    check_severity,
    chosen_corruptions,
)
from effnet_dense.robustness.attacker import PGD_STEPS
from effnet_dense.robustness.attacks import ATTACKS
from effnet_dense.utils.near_names import with_nearest

EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class Request:
    """What is tested.

    Args:
        corruptions: Names of corruptions and of their families; () for none.
        severities: Some of 1 to 5.
        attacks: Some of 'fgsm' and 'pgd'; () for none.
        epsilons: Radii of the attacks in grey levels, of 255.
        pgd_steps: PGD's number of steps.
        max_images: Number of images that are evaluated; None: all.
        metric: The key of the metric that is compared; None: see `figures.METRICS`.
        pictures: Number of images that are drawn for each attack; 0: none at all.
        seed: Of the corruptions and of PGD's random starts.

    Raises:
        ValueError: A name is unknown, a number is out of range, or nothing is tested.
    """

    corruptions: Sequence[str] = CORRUPTIONS
    severities: Sequence[int] = SEVERITIES
    attacks: Sequence[str] = ATTACKS
    epsilons: Sequence[float] = EPSILONS
    pgd_steps: int = PGD_STEPS
    max_images: int | None = None
    metric: str | None = None
    pictures: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        self._set(corruptions=chosen_corruptions(self.corruptions))
        self._set(severities=tuple(sorted({check_severity(each) for each in self.severities})))
        unknown = [name for name in self.attacks if name not in ATTACKS]
        if unknown:
            raise ValueError(
                f'no attack {with_nearest(unknown, ATTACKS)}; expected some of {", ".join(ATTACKS)}'
            )
        self._set(attacks=tuple(name for name in ATTACKS if name in self.attacks))
        self._set(epsilons=tuple(sorted({_radius(each) for each in self.epsilons})))
        least = {'pgd_steps': 1, 'pictures': 0, 'seed': 0, 'max_images': 1}
        for name, smallest in least.items():
            value = getattr(self, name)
            if name == 'max_images' and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
                raise ValueError(
                    f'{name} must be a whole number, at least {smallest}, got {value!r}'
                )
        if self.corruptions and not self.severities:
            raise ValueError('expected severities from 1 to 5 of the corruptions, got none')
        if self.attacks and not self.epsilons:
            raise ValueError('expected radii of the attacks (epsilons), got none')
        if not self.corruptions and not self.attacks:
            raise ValueError('expected corruptions or attacks to test with, got neither')

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def evaluations(self) -> int:
        """The number of evaluations, with that of clean images."""
        corrupted = len(self.corruptions) * len(self.severities)
        return 1 + corrupted + len(self.attacks) * len(self.epsilons)


def _radius(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= 255 or not math.isfinite(value):
        raise ValueError(f'expected a radius ε above 0, at most 255 grey levels, got {value!r}')
    return float(value)
