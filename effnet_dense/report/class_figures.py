"""Read the figure of each class from the data of a report: AP, IoU or PQ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from effnet_dense.engine.figures import classes_line
from effnet_dense.evaluation.confusion import intersection_over_union
from effnet_dense.report.detection import Detections, average
from effnet_dense.report.segmentation import Segments
from effnet_dense.report.store import load_arrays, load_json

Figures = list[tuple[str, float]]


def class_figures(data: Path, classes: Sequence[str]) -> dict[str, Figures]:
    """Return the classes' figures by the name of the figure; nothing without per-class results.

    Args:
        data: The folder of a report's data.
        classes: Their names.
    """
    found: dict[str, Figures] = {}
    boxes = load_arrays(data / 'detections.npz', Detections)
    if boxes is not None:
        kinds = {'box AP': boxes.precision, 'mask AP': boxes.mask_precision}
        for name, precision in kinds.items():
            if precision.size:
                values = [average(precision[:, :, label]) for label in range(len(classes))]
                found[name] = list(zip(classes, values, strict=True))
    segments = load_arrays(data / 'segments.npz', Segments)
    if segments is not None:
        iou = intersection_over_union(segments.matrix)[: len(classes)]
        found['IoU'] = list(zip(classes, map(float, iou), strict=True))
    panoptic = load_json(data / 'panoptic.json')
    if panoptic:
        found['PQ'] = [(row['name'], row['pq']) for row in panoptic]
    return found


def class_lines(data: Path, classes: Sequence[str]) -> list[str]:
    """Return a short line for each figure, where there are several classes."""
    if len(classes) < 2:
        return []
    lines = (classes_line(name, rows) for name, rows in class_figures(data, classes).items())
    return [line for line in lines if line]
