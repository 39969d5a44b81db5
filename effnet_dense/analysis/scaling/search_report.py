"""Report a search: tables, the networks of each φ, and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from effnet_dense.analysis.memory.image_size import network_input_size
from effnet_dense.analysis.scaling.grid import BASE, Candidate
from effnet_dense.analysis.scaling.search import Result, Search, best_result
from effnet_dense.utils.outputs import new_output

PHIS = range(8)
DISTINCT = 0.05
"""Relative gain over the unscaled network below which the best result may be chance."""
HEADINGS = ('candidate', 'depth α', 'width β', 'px γ', 'α·β²·γ²', 'px', 'parameters', 'GFLOPs')
PHI_HEADINGS = ('φ', 'width', 'depth', 'px', 'parameters', 'GFLOPs', 'arch')


def result_cells(result: Result) -> list[str]:
    """Return a candidate's cells for `HEADINGS` and for the metric."""
    candidate = result.candidate
    numbers = (candidate.alpha, candidate.beta, candidate.gamma)
    name = 'unscaled' if candidate == BASE else candidate.name
    size = '×'.join(map(str, result.size))
    texts = [name, *(f'{number:g}' for number in numbers), f'{candidate.product:.2f}', size]
    return [*texts, f'{result.parameters:,}', f'{result.gflops:.4f}', f'{result.metric:.4g}']


def phi_row(search: Search, candidate: Candidate, phi: int) -> dict[str, Any]:
    """Return the network of a φ, scaled by a candidate's factors to the power of φ."""
    powers = (candidate.alpha**phi, candidate.beta**phi, candidate.gamma**phi)
    scaled = Candidate(*powers)
    config, (parameters, gflops) = search.scaled(scaled), search.cost(scaled)
    arch = dict(config.model.backbone.arch)
    return dict(
        phi=phi,
        width=arch['width'],
        depth=arch['depth'],
        size=network_input_size(config),
        parameters=parameters,
        gflops=gflops,
        arch=arch,
    )


def phi_rows(search: Search, candidate: Candidate) -> list[dict[str, Any]]:
    """Return the networks of `PHIS`, up to the first that is too large to build."""
    rows = []
    for phi in PHIS:
        try:
            rows.append(phi_row(search, candidate, phi))
        except ValueError:
            break
    return rows


def chance_warning(results: Sequence[Result]) -> str | None:
    """Return a warning if the best candidate is hardly better than the unscaled network."""
    unscaled = next((result for result in results if result.candidate == BASE), None)
    if unscaled is None or best_result(results).metric > unscaled.metric * (1 + DISTINCT):
        return None
    return (
        f'The best is within {DISTINCT:.0%} of the unscaled network, which may be chance. Train '
        'longer (--steps), at a larger --size, or from weights that fit all candidates'
    )


def phi_cells(row: dict[str, Any]) -> list[str]:
    """Return the cells of a `phi_row` for `PHI_HEADINGS`."""
    arch = ', '.join(f'{key}={value!r}' for key, value in row['arch'].items())
    return [
        str(row['phi']),
        f'{row["width"]:.3f}',
        f'{row["depth"]:.3f}',
        '×'.join(map(str, row['size'])),
        f'{row["parameters"]:,}',
        f'{row["gflops"]:.3f}',
        f'dict({arch})',
    ]


def as_dict(results: Sequence[Result], metric: str, phis: Sequence[dict[str, Any]]) -> dict:
    """Return the content of results.json."""
    return dict(
        metric=metric,
        best=asdict(best_result(results).candidate),
        candidates=[asdict(result) for result in results],
        phi=list(phis),
    )


def draw(results: Sequence[Result], metric: str, path: Path) -> None:
    """Write a PNG of the candidates ordered by their metrics; all cost about the same.

    The unscaled network is a line, the best candidate red.
    """
    best = best_result(results)
    scaled = sorted((r for r in results if r.candidate != BASE), key=lambda result: result.metric)
    figure = Figure(figsize=(7, 1.4 + 0.3 * len(scaled)), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, result in enumerate(scaled):
        colour = '#d62728' if result is best else '#1f77b4'
        axes.scatter(result.metric, place, color=colour)
        text = (f'{result.metric:.4g}', (result.metric, place))
        axes.annotate(*text, xytext=(7, -3), textcoords='offset points', fontsize=8)
    for result in results:
        if result.candidate == BASE:
            label = f'unscaled, {result.gflops:.3g} GFLOPs'
            axes.axvline(result.metric, color='#7f7f7f', linestyle='--', label=label)
            axes.legend(loc='lower right', fontsize=8, frameon=False)
    axes.set_yticks(range(len(scaled)), [_tick_label(result) for result in scaled], fontsize=8)
    axes.margins(x=0.15)
    axes.set_ylim(-0.6, len(scaled) - 0.4)
    axes.set_xlabel(metric)
    axes.set_title('α (depth), β (width), γ (resolution), GFLOPs per image', fontsize=10)
    axes.spines[['top', 'right']].set_visible(False)
    with new_output(path) as partial:
        figure.savefig(partial)


def _tick_label(result: Result) -> str:
    c = result.candidate
    return f'{c.alpha:g}, {c.beta:g}, {c.gamma:g}   {result.gflops:.3g}'
