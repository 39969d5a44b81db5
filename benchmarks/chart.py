"""Draw bar charts of a comparison: memory and time of each implementation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.acceptance import Result
from benchmarks.comparison import Comparison, Row
from benchmarks.implementation import OURS
from benchmarks.tables import EMPTY, target_cells

OUR_COLOUR, PEER_COLOUR = '#1f77b4', '#b0b0b0'
MET_COLOUR, MISSED_COLOUR = '#2ca02c', '#d62728'


def panels(comparison: Comparison) -> list[tuple[str, dict[str, float], float | None]]:
    """Return each panel's title, the values by row name, and a floor that no value can go below."""
    found: list[tuple[str, dict[str, float], float | None]] = [
        ('saved for backward, MiB/img', _values(comparison, 'saved'), None),
        ('peak of a step, MiB', _values(comparison, 'peak'), None),
    ]
    for metric in comparison.metrics():
        title = 'training step' if metric == 'step' else metric.replace(' ', ', batch ')
        best = {row.name: min(row.times(metric)) for row in comparison.rows if row.times(metric)}
        found.append((f'{title}, ms/img', best, comparison.floor(metric)))
    return [panel for panel in found if panel[1]]


def _values(comparison: Comparison, name: str) -> dict[str, float]:
    values = {row.name: getattr(row, name) for row in comparison.rows}
    return {name: value for name, value in values.items() if value is not None}


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """Write a PNG with a panel for each measure."""
    parts = panels(comparison)
    height = 1.6 + 0.32 * len(comparison.rows)
    figure = Figure(figsize=(2.6 + 3.2 * max(len(parts), 1), height), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    all_axes = figure.subplots(1, max(len(parts), 1), sharey=True, squeeze=False)[0]
    for axes, (title, values, floor) in zip(all_axes, parts, strict=False):
        _draw_bars(axes, comparison.rows, title, values, floor)
    settings = comparison.settings
    figure.suptitle(
        f'{comparison.title}: {settings.size}², batch {settings.batch}, {settings.precision}, '
        f'{comparison.machine["processor"]}',
        fontsize=10,
    )
    figure.savefig(path)


def _draw_bars(
    axes: Axes, rows: list[Row], title: str, values: dict[str, float], floor: float | None
) -> None:
    lengths = [values.get(row.name, 0.0) for row in rows]
    colours = [OUR_COLOUR if row.ecosystem == OURS else PEER_COLOUR for row in rows]
    bars = axes.barh(range(len(rows)), lengths, color=colours)
    labels = [_format_value(values.get(row.name)) for row in rows]
    axes.bar_label(bars, labels, padding=3, fontsize=8)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1.22 * max(lengths))
    axes.tick_params(axis='x', labelsize=8)
    axes.set_title(title, fontsize=9)
    axes.spines[['top', 'right']].set_visible(False)
    if floor is not None:
        axes.axvline(floor, color=MISSED_COLOUR, linestyle='--', linewidth=1)
        axes.set_xlabel(
            f'dashed: arithmetic at the matrix\nproduct’s speed, {floor:.3g}', fontsize=8
        )


def _format_value(value: float | None) -> str:
    return EMPTY if value is None else f'{value:.0f}' if value >= 100 else f'{value:.3g}'


def draw_targets(results: Sequence[Result], path: Path) -> None:
    """Write a PNG of each measured target's ratio to its limit."""
    measured = [result for result in results if result.value is not None]
    figure = Figure(figsize=(9, 1.3 + 0.3 * len(measured)), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = [(result.value or 0.0) / result.target.limit for result in measured]
    colours = [MET_COLOUR if share <= 1 else MISSED_COLOUR for share in shares]
    bars = axes.barh(range(len(measured)), shares, color=colours)
    texts = [target_cells(result) for result in measured]
    labels = [f'{text[2]} of {text[3]}' for text in texts]
    # Inside the bars, since the limit's line would cross numbers next to them.
    axes.bar_label(bars, labels, label_type='center', color='white', fontsize=8)
    names = [text[0] if text[1] == EMPTY else f'{text[0]} ÷ {text[1]}' for text in texts]
    axes.set_yticks(range(len(measured)), names, fontsize=8)
    axes.set_ylim(len(measured) - 0.4, -0.6)
    axes.set_xlim(0, 1.05 * max([1.0, *shares]))
    axes.axvline(1, color='black', linestyle='--', linewidth=1)
    axes.set_title('measured ÷ allowed (the dashed line)', fontsize=9)
    axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path)
