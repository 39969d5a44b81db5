"""Make the page's section about score thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from effnet_dense.report import charts
from effnet_dense.report.confidence import THRESHOLDS, Confidence, by_class, together
from effnet_dense.report.detection import Detections
from effnet_dense.report.scores import Score
from effnet_dense.report.sections import Cell, Chart, Section, Table

ALL = 'all classes'
NOTE = (
    'Figures at IoU 0.5 of the boxes whose score is at least the threshold. Precision is the share '
    'of detections that are right, recall the share of objects that are found, F1 their harmonic '
    'mean. The best threshold is the one with the highest F1; a higher one gives fewer false '
    'detections, a lower one misses fewer objects.'
)


def confidence_sections(folder: Path, found: Detections, classes: Sequence[str]) -> list[Section]:
    """Make the section: a chart of F1, precision and recall each, and the table of thresholds."""
    each, all_classes = by_class(found, len(classes)), together(found)
    curves = {
        'F1': (each.f1, all_classes.f1),
        'precision': (each.precision, all_classes.precision),
        'recall': (each.recall, all_classes.recall),
    }
    shown = []
    for name, (values, total) in curves.items():
        file = folder / f'confidence_{name.lower()}.png'
        charts.confidence(file, THRESHOLDS, values, total[:, 0], classes, name)
        shown.append(
            Chart(file, f'{name[0].upper()}{name[1:]} over the score threshold, at IoU 0.5')
        )
    table = threshold_table(each, all_classes, classes)
    return [Section('thresholds', 'Score thresholds', NOTE, shown, [table])]


def threshold_table(each: Confidence, total: Confidence, classes: Sequence[str]) -> Table:
    """Tabulate the best threshold of all classes together, and of each, with the figures there."""
    rows = [_row(ALL, total, 0)] if len(classes) > 1 else []
    rows += [_row(name, each, label) for label, name in enumerate(classes)]
    return Table(['class', 'best threshold', 'F1', 'precision', 'recall'], rows)


def _row(name: str, figures: Confidence, label: int) -> list[Cell]:
    best = figures.best(label)
    if best is None:
        return [name, *[float('nan')] * 4]
    kinds = (figures.f1, figures.precision, figures.recall)
    return [name, Score(THRESHOLDS[best]), *(float(np.asarray(k)[best, label]) for k in kinds)]
