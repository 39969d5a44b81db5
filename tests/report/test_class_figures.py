"""A line with the figure of each class."""

from __future__ import annotations

from pathlib import Path

from effnet_dense.report.class_figures import class_lines
from effnet_dense.report.detection import evaluate
from effnet_dense.report.store import save_arrays, save_json
from tests.helpers.known_detections import CAT_IDS, CLASSES, results, truth


def test_boxes_and_panoptic_classes(tmp_path: Path) -> None:
    assert class_lines(tmp_path, CLASSES) == []
    save_arrays(tmp_path / 'detections.npz', evaluate(results(''), truth(), CAT_IDS, 0.3))
    save_json(tmp_path / 'panoptic.json', [dict(name='cat', pq=25.0), dict(name='dog', pq=50.0)])
    lines = class_lines(tmp_path, CLASSES)
    assert lines[0].startswith('box AP of classes: cat 1.00, dog 0.')
    assert lines[1] == 'PQ of classes: dog 50.00, cat 25.00'
    assert class_lines(tmp_path, CLASSES[:1]) == [], 'one class has the figure of all'
