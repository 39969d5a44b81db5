"""Maps of the page's images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from effnet_dense.report.detection import evaluate
from effnet_dense.report.explained import map_file, shown_images, write_maps
from effnet_dense.report.overlays import detection_overlays
from effnet_dense.report.segmentation import Segments
from effnet_dense.report.store import report_folder, save_arrays, start_data
from tests.helpers.known_detections import CAT_IDS, CLASSES, results, truth


def test_images_of_boxes_and_of_label_maps(tmp_path: Path) -> None:
    found = evaluate(results('image.png'), truth(), CAT_IDS, score_thr=0.3)
    data = start_data(report_folder(tmp_path))
    save_arrays(data / 'detections.npz', found)
    assert shown_images(tmp_path) == dict.fromkeys(
        ['best_1', 'best_2', 'worst_1'], Path('image.png')
    )
    paths, scores = np.array(['a.png', 'b.png', 'c.png']), np.array([0.1, 0.9, np.nan])
    start_data(report_folder(tmp_path))
    save_arrays(data / 'segments.npz', Segments(paths, scores, np.zeros((2, 2), np.int64)))
    assert shown_images(tmp_path) == {'best_1': Path('b.png'), 'worst_1': Path('a.png')}


def test_a_new_evaluation_removes_the_maps(tmp_path: Path) -> None:
    folder = report_folder(tmp_path)
    found = evaluate(results(''), truth(), CAT_IDS, score_thr=0.3)
    start_data(folder)
    write_maps(tmp_path, 'best_1', np.full((4, 6, 3), (250, 0, 0), np.uint8))
    drawn = cv2.imread(str(map_file(folder, 'best_1')))
    assert drawn.shape == (4, 6, 3) and drawn[0, 0, 2] > 200, 'red'
    best, worst = detection_overlays(folder, found, None, CLASSES, 0.3)
    assert best[0].maps == map_file(folder, 'best_1') and worst[0].maps is None
    assert len(best[0].uris) == 1, 'the image itself cannot be read'
    start_data(folder)
    assert not map_file(folder, 'best_1').exists()


def test_without_a_report(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no evaluated images.*effnet-dense test'):
        shown_images(tmp_path)
