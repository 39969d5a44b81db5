"""Make the page's sections about a detector's evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from effnet_dense.report import charts
from effnet_dense.report.confidence_sections import confidence_sections
from effnet_dense.report.detection import Detections, average
from effnet_dense.report.overlays import detection_overlays
from effnet_dense.report.sections import Cell, Chart, Gallery, Section, Table
from effnet_dense.report.store import load_arrays, load_json

AT_50, AT_75 = 0, 5
SCORE = (
    'An image’s score is F1 = 2 · right ÷ (2 · right + wrong + missed), averaged over the IoU '
    'thresholds 0.50, 0.55 … 0.95. Detections below a score of {thr} are left out, and so are '
    'images without objects and detections. Ground truth is on the left, detections are on the '
    'right; at IoU 0.5, green objects were found, orange ones missed, and red detections are '
    'wrong.'
)


def detection_sections(folder: Path, run: Mapping[str, Any]) -> list[Section]:
    """Make the sections on classes, errors and images; none if no detector was evaluated."""
    found = load_arrays(folder / 'data' / 'detections.npz', Detections)
    if found is None:
        return []
    classes, score_thr = run['classes'], run['score_thr']
    masks = load_json(folder / 'data' / 'masks.json')
    best, worst = detection_overlays(folder, found, masks, classes, score_thr)
    return [
        _classes(folder, found, classes, score_thr),
        *confidence_sections(folder, found, classes),
        _errors(folder, found, classes, score_thr),
        Section(
            'images',
            'Best and worst images',
            SCORE.format(thr=f'{score_thr:.2f}'),
            galleries=[Gallery('Best', best), Gallery('Worst', worst)],
        ),
    ]


def class_table(found: Detections, classes: Sequence[str], score_thr: float) -> Table:
    """Tabulate pycocotools' AP and AR per class, and counts, precision, recall at the threshold."""
    with_masks = found.mask_precision.size > 0
    columns = ['class', 'AP', 'AP50', 'AP75', 'AR']
    columns += ['mask AP', 'mask AP50', 'mask AP75', 'mask AR'] if with_masks else []
    columns += ['objects', 'detections', 'precision', 'recall']
    kept = found.found_score >= score_thr
    rows = []
    for label, name in enumerate(classes):
        row: list[Cell] = [name, *_ap(found.precision, found.recall, label)]
        if with_masks:
            row += _ap(found.mask_precision, found.mask_recall, label)
        mine = kept & (found.found_label == label) & (found.found_right >= 0)
        objects = (found.truth_label == label) & ~found.truth_crowd
        right = int((mine & (found.found_right == 1)).sum())
        counts = int(objects.sum()), int(mine.sum())
        row += [*counts, _share(right, counts[1]), _share(right, counts[0])]
        rows.append(row)
    return Table(columns, rows)


def _ap(precision: Any, recall: Any, label: int) -> list[float]:
    at = precision[:, :, label]
    return [average(at), average(at[AT_50]), average(at[AT_75]), average(recall[:, label])]


def _share(part: int, total: int) -> float:
    return part / total if total else float('nan')


def _classes(folder: Path, found: Detections, classes: Sequence[str], score_thr: float) -> Section:
    shown = [
        Chart(
            charts.precision_recall(folder / 'precision_recall.png', found.precision[0], classes),
            'Precision over recall of boxes at IoU 0.5; AP50 in the legend',
        )
    ]
    if found.mask_precision.size:
        file = folder / 'mask_precision_recall.png'
        charts.precision_recall(file, found.mask_precision[0], classes)
        shown.append(Chart(file, 'Precision over recall of masks at IoU 0.5; AP50 in the legend'))
    note = (
        'AP and AR as pycocotools computes them, over IoU 0.50 to 0.95 and 100 detections an '
        f'image. Detections, precision and recall at IoU 0.5, with scores from {score_thr:.2f}.'
    )
    if len(classes) > charts.FEW:
        note += f' The chart names the best and the worst {charts.FEW // 2} classes.'
    table = class_table(found, classes, score_thr)
    return Section('classes', 'Classes', note, shown, [table])


def _errors(folder: Path, found: Detections, classes: Sequence[str], score_thr: float) -> Section:
    kept = found.found_score >= score_thr
    counted = found.found_right >= 0
    names = [*classes, 'background']
    shown = [
        Chart(
            charts.confusion(folder / 'confusion.png', found.confusion, names),
            f'Confusions at IoU 0.5 of detections with scores from {score_thr:.2f}, as shares of '
            'the true class. Predicted background: missed objects; true background: false '
            'detections',
        ),
        Chart(
            charts.sizes(
                folder / 'sizes.png',
                _side(found.truth_box[~found.truth_crowd]),
                _side(found.found_box[kept]),
            ),
            f'Sizes of objects, and of detections with scores from {score_thr:.2f}',
        ),
    ]
    if counted.any():
        chart = charts.scores(
            folder / 'scores.png',
            found.found_score[counted & (found.found_right == 1)],
            found.found_score[counted & (found.found_right == 0)],
            score_thr,
        )
        shown.insert(1, Chart(chart, 'Scores of right and wrong detections at IoU 0.5'))
    note = ''
    if len(names) > charts.CELLS:
        note = f'The matrix shows the {charts.CELLS} most confused of {len(names)} classes.'
    return Section('errors', 'Errors', note, shown)


def _side(boxes: Any) -> Any:
    """Return √(width · height) of boxes (N, 4)."""
    return np.sqrt(np.maximum(boxes[:, 2] - boxes[:, 0], 0) * (boxes[:, 3] - boxes[:, 1]).clip(0))
