"""The figures of a stress test as text: a table of corruptions, one of attacks, P, mPC and rPC."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from effnet_dense.robustness.figures import Figures
from effnet_dense.utils.counted import counted

NONE = '–'


def as_text(figures: Figures) -> str:
    """Return the tables and the summary for a console."""
    parts = []
    if figures.corrupted:
        parts.append(columns(corruption_rows(figures)))
    if figures.attacked:
        parts.append(columns(attack_rows(figures)))
    return '\n\n'.join([*parts, summary_line(figures)])


def summary_line(figures: Figures) -> str:
    """Return P, mPC and rPC in a line."""
    line = (
        f'{counted(figures.images, "image")}: clean {figures.name} (P) {shown(figures.performance)}'
    )
    if figures.corrupted:
        line += f', under corruption (mPC) {shown(figures.under_corruption)}'
        line += f', relative (rPC) {share(figures.relative)}'
    return line


def corruption_rows(figures: Figures) -> list[list[str]]:
    """Return the header, a row for each corruption, and the mean, as cells."""
    severities = list(next(iter(figures.corrupted.values())))
    rows = [['corruption', *map(str, severities), 'mean']]
    for name in figures.corrupted:
        values = figures.by_severity(name)
        rows.append([name, *map(shown, values.values()), shown(figures.of_corruption(name))])
    means = [shown(figures.of_severity(severity)) for severity in severities]
    return [*rows, ['mean', *means, shown(figures.under_corruption)]]


def attack_rows(figures: Figures) -> list[list[str]]:
    """Return the header and a row for each attack, as cells."""
    epsilons = figures.by_epsilon(next(iter(figures.attacked)))
    rows = [['attack, ε/255', *(f'{epsilon:g}' for epsilon in epsilons)]]
    for name in figures.attacked:
        rows.append([name, *map(shown, figures.by_epsilon(name).values())])
    return rows


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Align cells: the first column at the left, the others at the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(
        '  '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def values_line(name: str, values: Mapping[Any, float]) -> str:
    """Return figures in the order of severity or ε."""
    return ' '.join([name, *(f'{key:g}: {shown(value)}' for key, value in values.items())])


def shown(value: float) -> str:
    """Format a figure: three decimals of shares, two of percentages, a dash for none.

    COCO's −1 is none: there was no object to find.
    """
    if math.isnan(value) or value == -1:
        return NONE
    return f'{value:.3f}' if value <= 1 else f'{value:.2f}'


def share(value: float) -> str:
    """Format a share as a percentage, a dash for none."""
    return NONE if math.isnan(value) else f'{value:.1%}'
