"""Tabulate a family: each network's cost, published accuracy, and distance from the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from effnet_dense.analysis.scaling.cost import Cost, network_cost, network_latency
from effnet_dense.analysis.scaling.fit import Fit, detector_exceptions, fit_family
from effnet_dense.analysis.scaling.networks import Network
from effnet_dense.analysis.settings import Settings
from effnet_dense.lean import LEVELS
from effnet_dense.scaling import FAMILIES

EMPTY = '–'
NOTES = """\
GFLOPs: multiply-adds per image. Saved: for the backward pass, fp32, counted exactly.
φ: the one whose width, depth and resolution are nearest to the row's (α 1.2, β 1.1, γ 1.15), with
the largest deviation; deviations beyond 7.5 % are named as exceptions."""


@dataclass(frozen=True)
class Row:
    """One network of the table; latency in milliseconds."""

    network: Network
    cost: Cost
    latency: float | None = None

    @property
    def fit(self) -> Fit | None:
        """The backbone's φ, if it is a published multiple of B0."""
        arch = self.network.arch
        scaled = isinstance(arch, str) and FAMILIES[arch][0] == 'b0'
        return fit_family(str(arch)) if scaled else None

    def exceptions(self) -> str:
        """Return what does not follow the rules, in words."""
        if self.network.detector is not None:
            found = detector_exceptions(self.network.name)
            return ', '.join(f'{key} {new}, not {rule}' for key, (rule, new) in found.items())
        deviations = self.fit.exceptions if self.fit else {}
        return ', '.join(f'{key} {value:+.1%}' for key, value in deviations.items())


def measure_rows(
    networks: Sequence[Network],
    lean_levels: Iterable[int] = LEVELS,
    latency_settings: Settings | None = None,
    on_row: Callable[[], None] = lambda: None,
) -> list[Row]:
    """Count all networks, and time them if there are settings for it.

    Args:
        networks: The table's rows.
        lean_levels: Levels at which saved memory is counted.
        latency_settings: See `network_latency`.
        on_row: Called after each network, for a progress bar.
    """
    levels, found = list(lean_levels), []
    for network in networks:
        latency = None
        if latency_settings is not None:
            latency = network_latency(network, latency_settings)
        found.append(Row(network, network_cost(network, levels), latency))
        on_row()
    return found


def headings(rows: Sequence[Row]) -> list[str]:
    """Return the columns' names; saved memory and latency only if they were measured."""
    saved = [f'saved MiB/img, lean {lean}' for lean in rows[0].cost.saved]
    latency = ['ms here'] if rows[0].latency is not None else []
    fixed = ['width', 'depth', 'px', 'parameters', 'GFLOPs']
    return ['network', *fixed, *saved, *latency, 'published', 'source', 'φ', 'off', 'exceptions']


def cells(row: Row) -> list[str]:
    """Return a row's cells, one for each column."""
    accuracy, fit = row.network.accuracy, row.fit
    width, depth = width_and_depth(row.network.arch)
    texts = [row.network.name, width, depth, str(row.network.size)]
    texts += [f'{row.cost.parameters:,}', f'{row.cost.gflops:.2f}']
    texts += [f'{mib:.1f}' for mib in row.cost.saved.values()]
    texts += [] if row.latency is None else [f'{row.latency:.1f}']
    texts += [f'{accuracy.value:g} {accuracy.metric}', accuracy.source] if accuracy else [EMPTY] * 2
    texts += [f'{fit.phi:g}', f'{fit.worst:.1%}'] if fit else [EMPTY] * 2
    return [*texts, row.exceptions() or EMPTY]


def width_and_depth(arch: Any) -> tuple[str, str]:
    """Return the factors of a named architecture."""
    scale = FAMILIES[arch][1]
    return f'{scale.width:g}', f'{scale.depth:g}'


def as_dict(row: Row) -> dict[str, Any]:
    """Return a row for JSON."""
    accuracy, fit = row.network.accuracy, row.fit
    return dict(
        name=row.network.name,
        arch=row.network.arch,
        size=row.network.size,
        parameters=row.cost.parameters,
        gflops=row.cost.gflops,
        saved_mib_per_image={str(lean): mib for lean, mib in row.cost.saved.items()},
        latency_ms=row.latency,
        published=accuracy and vars(accuracy),
        phi=fit and fit.phi,
        deviations=fit and dict(fit.deviations),
        exceptions=row.exceptions(),
    )
