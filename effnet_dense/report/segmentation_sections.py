"""Make the page's sections about a semantic or panoptic segmentation's evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from effnet_dense.data.palette import palette as default_palette
from effnet_dense.evaluation.confusion import intersection_over_union, predicted_as
from effnet_dense.report import charts
from effnet_dense.report.overlays import segmentation_overlays
from effnet_dense.report.sections import Chart, Gallery, Section, Table
from effnet_dense.report.segmentation import Segments, accuracy
from effnet_dense.report.store import load_arrays, load_json

SCORE = (
    'An image’s score is the mean IoU of the classes that it shows or that were predicted in it. '
    'From left to right: ground truth, prediction, and wrongly classified pixels in red.'
)


def segmentation_sections(folder: Path, run: Mapping[str, Any]) -> list[Section]:
    """Make the sections on classes, confusions and images; none if no label maps were evaluated."""
    found = load_arrays(folder / 'data' / 'segments.npz', Segments)
    if found is None:
        return []
    classes = run['classes']
    colours = run['palette'] or default_palette(len(classes))
    best, worst = segmentation_overlays(folder, found, np.array(colours, dtype=np.uint8), classes)
    return [
        _classes(folder, found, classes),
        _confusions(folder, found, classes),
        Section(
            'images',
            'Best and worst images',
            SCORE,
            galleries=[Gallery('Best', best), Gallery('Worst', worst)],
        ),
    ]


def class_table(found: Segments, classes: Sequence[str]) -> Table:
    """Tabulate IoU, accuracy and shares of the pixels, per class."""
    iou, hits = intersection_over_union(found.matrix), accuracy(found.matrix)
    total = max(found.matrix.sum(), 1)
    truth, seen = found.matrix.sum(1) / total, predicted_as(found.matrix) / total
    columns = ['class', 'IoU', 'accuracy', 'share of pixels', 'share predicted']
    figures = zip(classes, iou, hits, truth, seen, strict=True)
    return Table(columns, [[name, *(float(value) for value in row)] for name, *row in figures])


def panoptic_sections(folder: Path) -> list[Section]:
    """Make the section on the classes' qualities; none if no panoptic maps were evaluated."""
    rows = load_json(folder / 'data' / 'panoptic.json')
    if rows is None:
        return []
    names = [row['name'] for row in rows]
    values = np.array([row['pq'] for row in rows])
    chart = charts.bars(folder / 'pq.png', names, values, 'PQ')
    table = Table(
        ['class', 'PQ', 'SQ', 'RQ'],
        [[row['name'], row['pq'], row['sq'], row['rq']] for row in rows],
    )
    note = 'Panoptic quality PQ = SQ · RQ; absent classes have 0.'
    return [Section('classes', 'Classes', note, [Chart(chart, 'PQ of each class')], [table])]


def _classes(folder: Path, found: Segments, classes: Sequence[str]) -> Section:
    iou = intersection_over_union(found.matrix)
    shown = Chart(charts.bars(folder / 'iou.png', classes, iou, 'IoU'), 'IoU of each class')
    note = 'IoU and accuracy over all pixels that are not ignored.'
    if len(classes) > charts.BARS:
        note += f' The chart shows the best and the worst {charts.BARS // 2} classes.'
    return Section('classes', 'Classes', note, [shown], [class_table(found, classes)])


def _confusions(folder: Path, found: Segments, classes: Sequence[str]) -> Section:
    file = charts.confusion(folder / 'confusion.png', found.matrix, classes)
    note = ''
    if len(classes) > charts.CELLS:
        note = f'The matrix shows the {charts.CELLS} most confused of {len(classes)} classes.'
    chart = Chart(file, 'What each class’s pixels were predicted as, in shares of the true class')
    return Section('errors', 'Errors', note, [chart])
