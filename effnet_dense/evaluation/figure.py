"""Draw a confusion matrix as a heat map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

NUMBERS = 30
"""With more classes, the shares are not written into the cells."""


def confusion_figure(matrix: np.ndarray, classes: Sequence[str], iou: np.ndarray) -> np.ndarray:
    """Draw the shares of each row's pixels, with class names and IoUs.

    Args:
        matrix: (C, C) or (C, C + 1) counts, truth by prediction; a last column of other classes
            counts in the shares, and is not drawn.
        classes: C names.
        iou: (C,), written next to the names.

    Returns:
        RGB (H, W, 3) uint8.
    """
    count = len(classes)
    shares = matrix[:, :count] / np.maximum(matrix.sum(1, keepdims=True), 1)
    inches = 3 + 0.5 * min(count, NUMBERS) + 0.12 * max(count - NUMBERS, 0)
    figure = Figure(figsize=(inches, inches), dpi=100, layout='tight')
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = [f'{name}  {value:.2f}' for name, value in zip(classes, iou, strict=True)]
    draw_shares(axes, shares, classes, names, 9 if count <= NUMBERS else 5)
    axes.set_xlabel('predicted')
    axes.set_ylabel('truth, and its IoU')
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def draw_shares(
    axes: Axes, shares: np.ndarray, columns: Sequence[str], rows: Sequence[str], size: int
) -> None:
    """Draw a heat map (C, C) of shares, with numbers for at most `NUMBERS` classes.

    Args:
        axes: Axes to draw into.
        shares: (C, C), from 0 to 1.
        columns, rows: C names each.
        size: Font size.
    """
    axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=size)
    axes.set_yticks(range(len(rows)), rows, fontsize=size)
    if len(rows) > NUMBERS:
        return
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            colour = 'white' if share > 0.5 else 'black'
            text = f'{share:.0%}'
            axes.text(column, row, text, ha='center', va='center', color=colour, fontsize=size)
