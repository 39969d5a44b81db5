"""Draw how many objects each class has, by their size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

SIZES = ('below 8 px', 'small: 8 to 32', 'medium: 32 to 96', 'large: from 96')
COLOURS = ('#ef4444', '#f59e0b', '#3b82f6', '#10b981')
BARS = 40
"""With more classes, the most frequent and the rarest, half of this number each, are drawn."""


def draw_counts(axes: Axes, names: Sequence[str], counts: NDArray[np.int64]) -> None:
    """Draw a bar per class, the most frequent on top, of parts by size.

    Args:
        axes: Axes to draw into.
        names: C names.
        counts: (C, 4), objects of each of `SIZES`.
    """
    totals = counts.sum(1)
    order = np.argsort(-totals, kind='stable')
    if len(order) > BARS:
        order = np.concatenate([order[: BARS // 2], order[-(BARS // 2) :]])
    places, start = np.arange(len(order)), np.zeros(len(order))
    for values, label, colour in zip(counts[order].T, SIZES, COLOURS, strict=True):
        axes.barh(places, values, left=start, color=colour, height=0.7, label=label)
        start = start + values
    for place, index in enumerate(order):
        axes.text(totals[index], place, f' {totals[index]}', va='center', fontsize=8, color='grey')
    axes.set_yticks(places, [names[index] for index in order], fontsize=8)
    axes.set(xlabel='objects, by √(width · height) in the resized image')
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xlim(0, max(1, totals.max(initial=1)) * 1.12)


def height_of(classes: int) -> float:
    """Return a figure's height in inches for this number of classes."""
    return 1.4 + 0.24 * max(min(classes, BARS), 3)


def counts_figure(names: Sequence[str], counts: NDArray[np.int64], title: str) -> Figure:
    """Draw `draw_counts` into a figure of its own, on white."""
    figure = Figure(figsize=(7.5, height_of(len(names))), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw_counts(axes, names, counts)
    axes.set_title(title, fontsize=10, loc='left')
    figure.legend(loc='outside lower center', ncols=4, fontsize=8, frameon=False)
    return figure
