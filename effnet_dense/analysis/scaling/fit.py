"""Fit φ to the published rows, which were rounded by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from effnet_dense.scaling import FAMILIES, Scale, compound, compound_detector, detector

TOLERANCE = 0.075
"""Relative deviation within which one φ reproduces width, depth and resolution of B1–B7."""
STEP = 0.005
LARGEST_PHI = 20.0


@dataclass(frozen=True)
class Fit:
    """The φ nearest to a published row.

    Args:
        phi: A multiple of `STEP`.
        deviations: Width, depth and resolution: the formula's value ÷ the published one − 1.
    """

    phi: float
    deviations: Mapping[str, float]

    @property
    def worst(self) -> float:
        """The largest absolute deviation."""
        return max(map(abs, self.deviations.values()))

    @property
    def exceptions(self) -> dict[str, float]:
        """The deviations beyond `TOLERANCE`."""
        return {name: value for name, value in self.deviations.items() if abs(value) > TOLERANCE}


def fit_row(published: Scale) -> Fit:
    """Return the φ from 0 to 20, to 0.005, whose largest deviation is smallest."""
    count = round(LARGEST_PHI / STEP)
    fits = (_fit(round(index * STEP, 3), published) for index in range(count + 1))
    return min(fits, key=lambda fit: fit.worst)


def fit_family(name: str) -> Fit:
    """Fit φ to a name of `effnet_dense.scaling.FAMILIES` that is a multiple of B0.

    Raises:
        ValueError: The name is unknown, or of a base that its paper does not scale by φ.
    """
    scaled = [row for row, (base, _) in FAMILIES.items() if base == 'b0']
    if name not in scaled:
        raise ValueError(f'φ is defined for {", ".join(scaled)}; got {name!r}')
    return fit_row(FAMILIES[name][1])


def _fit(phi: float, published: Scale) -> Fit:
    formula = compound(phi)
    fields = ('width', 'depth', 'resolution')
    return Fit(phi, {f: getattr(formula, f) / getattr(published, f) - 1 for f in fields})


def detector_exceptions(name: str) -> dict[str, tuple[object, object]]:
    """Return (rule, published) for each size of a detector in which they differ.

    Args:
        name: 'd0' … 'd7'; d7x and the Lites do not follow the rule and give no exceptions.
    """
    published = asdict(detector(name))
    if not name[1:].isdigit():
        return {}
    rule = asdict(compound_detector(int(name[1:])))
    return {key: (rule[key], published[key]) for key in rule if rule[key] != published[key]}
