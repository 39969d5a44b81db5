"""What a search found: tables, φ → networks, and the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from effnet_dense.analysis.memory.size import network_size
from effnet_dense.analysis.scaling.grid import BASE, Candidate
from effnet_dense.analysis.scaling.search import Result, Search, best

PHIS = range(8)
DISTINCT = 0.05  # of the metric's value, which may be a share or percents
HEADINGS = ('candidate', 'depth α', 'width β', 'px γ', 'α·β²·γ²', 'px', 'parameters', 'GFLOPs')
PHI_HEADINGS = ('φ', 'width', 'depth', 'px', 'parameters', 'GFLOPs', 'arch')


def cells(result: Result) -> list[str]:
    """A candidate's text, one for each of `HEADINGS`, and the metric's."""
    candidate = result.candidate
    numbers = (candidate.alpha, candidate.beta, candidate.gamma)
    name = 'unscaled' if candidate == BASE else candidate.name
    size = '×'.join(map(str, result.size))
    texts = [name, *(f'{number:g}' for number in numbers), f'{candidate.product:.2f}', size]
    return [*texts, f'{result.parameters:,}', f'{result.gflops:.4f}', f'{result.metric:.4g}']


def phi_row(search: Search, candidate: Candidate, phi: int) -> dict[str, Any]:
    """The network of a φ, scaled by the constants that were found."""
    powers = (candidate.alpha**phi, candidate.beta**phi, candidate.gamma**phi)
    scaled = Candidate(*powers)
    config, (parameters, gflops) = search.scaled(scaled), search.cost(scaled)
    arch = dict(config.model.backbone.arch)
    return dict(
        phi=phi,
        width=arch['width'],
        depth=arch['depth'],
        size=network_size(config),
        parameters=parameters,
        gflops=gflops,
        arch=arch,
    )


def phi_rows(search: Search, candidate: Candidate) -> list[dict[str, Any]]:
    """The networks of `PHIS`, up to the first that is beyond what can be built."""
    rows = []
    for phi in PHIS:
        try:
            rows.append(phi_row(search, candidate, phi))
        except ValueError:
            break
    return rows


def doubt(results: Sequence[Result]) -> str | None:
    """Why the best may be chance: a scaled network that is no better than the unscaled one."""
    unscaled = next((result for result in results if result.candidate == BASE), None)
    if unscaled is None or best(results).metric > unscaled.metric * (1 + DISTINCT):
        return None
    return (
        f'The best is within {DISTINCT:.0%} of the unscaled network: chance. Train longer '
        '(--steps), at a larger --size, or from weights that fit all candidates'
    )


def phi_cells(row: dict[str, Any]) -> list[str]:
    """Its text, one for each of `PHI_HEADINGS`."""
    arch = ', '.join(f'{key}={value!r}' for key, value in row['arch'].items())
    size = '×'.join(map(str, row['size']))
    numbers = (f'{row["width"]:.3f}', f'{row["depth"]:.3f}', size)
    return [
        str(row['phi']),
        *numbers,
        f'{row["parameters"]:,}',
        f'{row["gflops"]:.3f}',
        f'dict({arch})',
    ]


def as_dict(results: Sequence[Result], metric: str, phis: Sequence[dict[str, Any]]) -> dict:
    """All of it, for results.json."""
    return dict(
        metric=metric,
        best=asdict(best(results).candidate),
        candidates=[asdict(result) for result in results],
        phi=list(phis),
    )


def draw(results: Sequence[Result], metric: str, path: Path) -> None:
    """Write a PNG of every candidate's metric, in their order: by it, as all cost about the same.

    The unscaled network is a line, the best candidate red.
    """
    winner = best(results)
    scaled = sorted((r for r in results if r.candidate != BASE), key=lambda result: result.metric)
    figure = Figure(figsize=(7, 1.4 + 0.3 * len(scaled)), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, result in enumerate(scaled):
        colour = '#d62728' if result is winner else '#1f77b4'
        axes.scatter(result.metric, place, color=colour)
        text = (f'{result.metric:.4g}', (result.metric, place))
        axes.annotate(*text, xytext=(7, -3), textcoords='offset points', fontsize=8)
    for result in results:
        if result.candidate == BASE:
            label = f'unscaled, {result.gflops:.3g} GFLOPs'
            axes.axvline(result.metric, color='#7f7f7f', linestyle='--', label=label)
            axes.legend(loc='lower right', fontsize=8, frameon=False)
    axes.set_yticks(range(len(scaled)), [_label(result) for result in scaled], fontsize=8)
    axes.margins(x=0.15)
    axes.set_ylim(-0.6, len(scaled) - 0.4)
    axes.set_xlabel(metric)
    axes.set_title('α (depth), β (width), γ (resolution), GFLOPs of one picture', fontsize=10)
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path)


def _label(result: Result) -> str:
    c = result.candidate
    return f'{c.alpha:g}, {c.beta:g}, {c.gamma:g}   {result.gflops:.3g}'
