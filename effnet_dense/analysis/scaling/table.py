"""A family's table: what each network costs, what was published, and how near the rule it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from effnet_dense.analysis.scaling.fit import Fit, detector_exceptions, fit_family
from effnet_dense.analysis.scaling.networks import Network
from effnet_dense.analysis.scaling.sizes import Sizes, count, milliseconds
from effnet_dense.analysis.settings import Settings
from effnet_dense.lean import LEVELS
from effnet_dense.scaling import FAMILIES

EMPTY = '–'
NOTES = """\
GFLOPs: multiply-adds of one picture. Saved: for the backward pass, fp32, counted exactly.
φ: the one whose width, depth and resolution are nearest to the row's (α 1.2, β 1.1, γ 1.15), with
the largest deviation; deviations beyond 7.5 % are exceptions, and named."""


@dataclass(frozen=True)
class Row:
    """One network of the table; latency in milliseconds."""

    network: Network
    sizes: Sizes
    latency: float | None = None

    @property
    def fit(self) -> Fit | None:
        """The φ of the backbone, where it is a published multiple of B0."""
        arch = self.network.arch
        scaled = isinstance(arch, str) and FAMILIES[arch][0] == 'b0'
        return fit_family(str(arch)) if scaled else None

    def exceptions(self) -> str:
        """What does not follow the rules, in words."""
        if self.network.detector is not None:
            found = detector_exceptions(self.network.name)
            return ', '.join(f'{key} {new}, not {rule}' for key, (rule, new) in found.items())
        found_here = self.fit.exceptions if self.fit else {}
        return ', '.join(f'{key} {value:+.1%}' for key, value in found_here.items())


def rows(
    networks: Sequence[Network],
    leans: Iterable[int] = LEVELS,
    timed: Settings | None = None,
    tick: Callable[[], None] = lambda: None,
) -> list[Row]:
    """Count all networks, and time them under the conditions of `timed`.

    Args:
        tick: Called after each network.
    """
    levels, found = list(leans), []
    for network in networks:
        latency = None if timed is None else milliseconds(network, timed)
        found.append(Row(network, count(network, levels), latency))
        tick()
    return found


def columns(table: Sequence[Row]) -> list[str]:
    """The headings: those of what was measured."""
    saved = [f'saved MiB/img, lean {lean}' for lean in table[0].sizes.saved]
    latency = ['ms here'] if table[0].latency is not None else []
    fixed = ['width', 'depth', 'px', 'parameters', 'GFLOPs']
    return ['network', *fixed, *saved, *latency, 'published', 'source', 'φ', 'off', 'exceptions']


def cells(row: Row) -> list[str]:
    """A row's text, one for each column."""
    accuracy, fit = row.network.accuracy, row.fit
    width, depth = factors(row.network.arch)
    texts = [row.network.name, width, depth, str(row.network.size)]
    texts += [f'{row.sizes.parameters:,}', f'{row.sizes.gflops:.2f}']
    texts += [f'{mib:.1f}' for mib in row.sizes.saved.values()]
    texts += [] if row.latency is None else [f'{row.latency:.1f}']
    texts += [f'{accuracy.value:g} {accuracy.metric}', accuracy.source] if accuracy else [EMPTY] * 2
    texts += [f'{fit.phi:g}', f'{fit.worst:.1%}'] if fit else [EMPTY] * 2
    return [*texts, row.exceptions() or EMPTY]


def factors(arch: Any) -> tuple[str, str]:
    """Width and depth of an architecture's name."""
    scale = FAMILIES[arch][1]
    return f'{scale.width:g}', f'{scale.depth:g}'


def as_dict(row: Row) -> dict[str, Any]:
    """A row for JSON."""
    accuracy, fit = row.network.accuracy, row.fit
    return dict(
        name=row.network.name,
        arch=row.network.arch,
        size=row.network.size,
        parameters=row.sizes.parameters,
        gflops=row.sizes.gflops,
        saved_mib_per_image={str(lean): mib for lean, mib in row.sizes.saved.items()},
        latency_ms=row.latency,
        published=accuracy and vars(accuracy),
        phi=fit and fit.phi,
        deviations=fit and dict(fit.deviations),
        exceptions=row.exceptions(),
    )
