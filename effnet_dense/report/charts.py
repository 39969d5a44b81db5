"""Draw charts without a background, in greys that are legible on white and on black."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from effnet_dense.evaluation.figure import NUMBERS, draw_shares
from effnet_dense.utils.outputs import new_output

GREY = '#7d8590'
COLOURS = (
    *('#3b82f6', '#f59e0b', '#10b981', '#ef4444', '#8b5cf6', '#06b6d4'),
    *('#ec4899', '#84cc16', '#a16207', '#0f766e', '#a21caf', '#64748b'),
)
DASHES = ('-', '--', ':', '-.')
MARKERS = (None, 'o', 's', '^')
SMALL_MEDIUM = (32, 96)
"""COCO's limits between small, medium and large objects: square roots of areas."""

FEW = 10
"""With more classes, only the best and the worst have their own colours."""

BARS = 40
"""With more classes, only the best and the worst, half of this number each, are drawn."""

CELLS = NUMBERS
"""With more classes, only this number of the most confused is drawn."""


def new_figure(width: float = 5.8, height: float = 3.6) -> tuple[Figure, Axes]:
    """Create a figure (in inches) with one pair of axes."""
    figure = Figure(figsize=(width, height), dpi=130, layout='constrained')
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG; equal figures give equal bytes."""
    for axes in figure.axes:
        _make_grey(axes)
    with new_output(path, fsync=False) as partial:
        figure.savefig(partial, transparent=True, metadata={'Software': None})
    return path


def lines(
    path: Path,
    curves: Sequence[tuple[str, Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str = '',
    from_zero: bool = False,
) -> Path:
    """Draw curves (name, steps, values), the first one bold.

    Args:
        path: Path of the PNG.
        curves: Name, steps and values of each.
        xlabel: Name of the steps.
        ylabel: Name of the values.
        from_zero: Let the values' axis begin at 0, so that charts can be compared.
    """
    figure, axes = new_figure()
    for number, (name, steps, values) in enumerate(curves):
        marker = 'o' if len(steps) <= 30 else None
        colour = COLOURS[number % len(COLOURS)]
        width = 2.4 if number == 0 else 1.3
        axes.plot(steps, values, marker=marker, markersize=3, color=colour, lw=width, label=name)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if from_zero:
        axes.set_ylim(bottom=0)
    add_legend(axes)
    return save(figure, path)


def class_style(label: int) -> dict[str, Any]:
    """Return the look of a class's curve, the same in all charts.

    Colours alone tell 11 classes apart (the first is for their mean), with dashes 44, with markers
    176.
    """
    kinds = len(COLOURS) - 1
    marker = MARKERS[label // (kinds * len(DASHES)) % len(MARKERS)]
    return dict(
        color=COLOURS[1 + label % kinds],
        linestyle=DASHES[label // kinds % len(DASHES)],
        marker=marker,
        markevery=0.1,
        markersize=3,
    )


def _class_curves(
    axes: Axes,
    x: NDArray[np.float64],
    values: NDArray[np.float64],
    order: NDArray[np.int64],
    names: Sequence[str],
) -> None:
    """Draw a curve for each class in `order`; of many, only the best and the worst have a name."""
    many = len(order) > FEW
    for label in order if many else ():
        axes.plot(x, values[:, label], color=GREY, linewidth=0.6, alpha=0.35)
    for label in [*order[: FEW // 2], *order[-(FEW // 2) :]] if many else order:
        style = class_style(int(label))
        axes.plot(x, values[:, label], linewidth=1.3, label=names[label], **style)


def precision_recall(path: Path, precision: NDArray[np.float64], classes: Sequence[str]) -> Path:
    """Draw precision over recall at IoU 0.5, of each class and their mean.

    Args:
        path: Path of the PNG.
        precision: (101, K) at recall 0, 0.01 … 1; −1 for classes without ground truth.
        classes: K names.
    """
    figure, axes = new_figure(height=4.2)
    recall = np.linspace(0, 1, len(precision))
    known = np.flatnonzero((precision > -1).all(0))
    order = known[np.argsort(-precision[:, known].mean(0), kind='stable')]
    names = [f'{name}  {precision[:, k].mean():.2f}' for k, name in enumerate(classes)]
    _class_curves(axes, recall, precision, order, names)
    if len(order) > 1:
        mean = precision[:, order].mean(1)
        name = f'mean  {mean.mean():.2f}'
        axes.plot(recall, mean, color=COLOURS[0], linewidth=3, label=name)
    axes.set(xlabel='recall', ylabel='precision', xlim=(0, 1.01), ylim=(0, 1.02))
    add_legend(axes, inside=True)
    return save(figure, path)


def confidence(
    path: Path,
    thresholds: NDArray[np.float64],
    values: NDArray[np.float64],
    total: NDArray[np.float64],
    classes: Sequence[str],
    ylabel: str,
) -> Path:
    """Draw a figure over the score threshold, of each class and of all together.

    Args:
        path: Path of the PNG.
        thresholds: (T,)
        values: (T, K); NaN where there is nothing to measure.
        total: (T,), of all classes together.
        classes: K names.
        ylabel: Name of the figure.
    """
    figure, axes = new_figure(height=4.2)
    known = np.flatnonzero(~np.isnan(values).all(0))
    peaks = np.nan_to_num(values).max(0, initial=0)
    order = known[np.argsort(-peaks[known], kind='stable')]
    _class_curves(axes, thresholds, values, order, classes)
    if len(order) > 1:
        axes.plot(thresholds, total, color=COLOURS[0], linewidth=3, label='all classes')
    axes.set(xlabel='score threshold', ylabel=ylabel, xlim=(0, 1.01), ylim=(0, 1.02))
    add_legend(axes, inside=True)
    return save(figure, path)


def sizes(path: Path, truth: NDArray[np.float64], found: NDArray[np.float64]) -> Path:
    """Draw histograms of boxes' sizes √(width · height), as shares, with COCO's limits."""
    figure, axes = new_figure()
    both = np.concatenate([truth, found, [8, 128]])
    bins = np.geomspace(max(both[both > 0].min(), 1), both.max() * 1.01, 26).tolist()
    for values, name, colour in ((truth, 'truth', COLOURS[0]), (found, 'prediction', COLOURS[1])):
        shares = np.full(len(values), 1 / max(len(values), 1))
        label = f'{name} ({len(values)})'
        axes.hist(values, bins, weights=shares, color=colour, alpha=0.55, label=label)
    for border in SMALL_MEDIUM:
        axes.axvline(border, color=GREY, linestyle='--', linewidth=1)
    axes.set_xscale('log')
    ticks = [tick for tick in (4, 8, 16, 32, 64, 96, 128, 256, 512, 1024) if tick < bins[-1]]
    axes.set_xticks([tick for tick in ticks if tick >= bins[0]], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(lambda value, _: f'{value:.0f}')
    axes.set(xlabel='√(width · height) in pixels: small < 32 ≤ medium < 96 ≤ large', ylabel='share')
    add_legend(axes)
    return save(figure, path)


def scores(
    path: Path, right: NDArray[np.float64], wrong: NDArray[np.float64], threshold: float
) -> Path:
    """Draw histograms of right and wrong detections' scores, with a logarithmic count axis."""
    figure, axes = new_figure()
    bins = np.linspace(0, 1, 41).tolist()
    names = [f'right ({len(right)})', f'wrong ({len(wrong)})']
    axes.hist([right, wrong], bins, stacked=True, color=[COLOURS[2], COLOURS[3]], label=names)
    axes.axvline(threshold, color=GREY, linestyle='--', linewidth=1, label='threshold')
    axes.set_yscale('log')
    axes.set_ylim(bottom=0.8)
    axes.set(xlabel='score', ylabel='detections', xlim=(0, 1))
    add_legend(axes)
    return save(figure, path)


def bars(path: Path, names: Sequence[str], values: NDArray[np.float64], xlabel: str) -> Path:
    """Draw a bar per class, the best on top; of many, the best and the worst; no NaN."""
    order = np.argsort(-values, kind='stable')
    order = order[~np.isnan(values[order])]
    if len(order) > BARS:
        order = np.concatenate([order[: BARS // 2], order[-(BARS // 2) :]])
    figure, axes = new_figure(height=1.0 + 0.24 * max(len(order), 3))
    places = np.arange(len(order))
    colours = [COLOURS[0] if values[label] >= np.nanmean(values) else COLOURS[1] for label in order]
    axes.barh(places, values[order], color=colours, height=0.7)
    for place, label in enumerate(order):
        value = float(values[label])
        axes.text(value + 0.01, place, f'{value:.2f}', va='center', fontsize=8, color=GREY)
    axes.set_yticks(places, [names[label] for label in order], fontsize=8)
    axes.set(xlabel=xlabel, xlim=(0, 1.06))
    axes.set_ylim(len(order) - 0.5, -0.5)
    return save(figure, path)


def most_confused(matrix: NDArray[np.int64], count: int = CELLS) -> NDArray[np.int64]:
    """Return the `count` classes with the most confusions, in the matrix's order."""
    if len(matrix) <= count:
        return np.arange(len(matrix))
    wrong = matrix[:, : len(matrix)] - np.diag(np.diag(matrix))
    share = wrong / np.maximum(matrix.sum(1, keepdims=True), 1)
    # An error counts for the predicted class, too.
    weight = np.maximum(share.max(1), share.max(0))
    return np.sort(np.argsort(-weight, kind='stable')[:count])


def confusion(path: Path, matrix: NDArray[np.int64], names: Sequence[str]) -> Path:
    """Draw each row's shares as a heat map.

    Args:
        path: Path of the PNG.
        matrix: (C, C) or (C, C + 1), truth by prediction.
        names: C names.
    """
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    chosen = most_confused(matrix)
    shares, count = shares[np.ix_(chosen, chosen)], len(chosen)
    side = 2.2 + 0.4 * count
    figure, axes = new_figure(side, side)
    labels = [names[index] for index in chosen]
    draw_shares(axes, shares, labels, labels, 8)
    axes.set(xlabel='predicted', ylabel='truth')
    return save(figure, path)


def add_legend(axes: Axes, inside: bool = False) -> None:
    """Add a legend above the axes, or inside at the emptiest place."""
    if axes.get_legend_handles_labels()[0]:
        style: dict[str, Any] = dict(fontsize=8, frameon=False, labelcolor=GREY)
        if inside:
            axes.legend(**style, ncols=2)
        else:
            axes.legend(**style, ncols=3, loc='lower left', bbox_to_anchor=(0, 1))


def _make_grey(axes: Axes) -> None:
    axes.tick_params(colors=GREY, labelcolor=GREY)
    axes.xaxis.label.set_color(GREY)
    axes.yaxis.label.set_color(GREY)
    for name, spine in axes.spines.items():
        spine.set_color(GREY)
        spine.set_visible(name in ('left', 'bottom'))
    if not axes.images:
        # Along horizontal bars, a line would cross the numbers at their ends.
        lying = any(getattr(each, 'orientation', '') == 'horizontal' for each in axes.containers)
        axes.grid(axis='x' if lying else 'both', color=GREY, alpha=0.2, linewidth=0.6)
        axes.set_axisbelow(True)
