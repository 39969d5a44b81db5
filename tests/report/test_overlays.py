"""What is drawn for the best and the worst images, and in which colours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from effnet_dense.report import overlays
from effnet_dense.report.detection import Detections, evaluate
from effnet_dense.report.overlays import (
    MISSED,
    RIGHT,
    WRONG,
    detection_overlays,
    draw_panel,
    found_boxes,
    segmentation_overlays,
    truth_boxes,
)
from effnet_dense.report.segmentation import Segments
from tests.helpers.known_detections import CAT_IDS, CLASSES, SIZE, results, truth


def image_file(folder: Path) -> str:
    path = folder / 'image.png'
    cv2.imwrite(str(path), np.full((SIZE, SIZE, 3), 90, np.uint8))
    return str(path)


def evaluated(path: str = '') -> Detections:
    return evaluate(results(path), truth(), CAT_IDS, score_thr=0.3)


def test_objects_are_green_or_orange_detections_green_or_red() -> None:
    found = evaluated()
    objects = truth_boxes(found, 0, CLASSES)
    assert objects.captions == ['cat', 'dog'] and objects.colours == [RIGHT, MISSED]
    assert objects.rows == [0, 1]
    assert objects.boxes.tolist() == [[0, 0, 40, 40], [50, 0, 90, 40]]
    # The surest one is drawn last, above the others.
    seen = found_boxes(found, 0, CLASSES, 0.3)
    assert seen.captions == ['cat 0.80', 'cat 0.90'] and seen.colours == [WRONG, RIGHT]
    assert seen.rows == [1, 0]
    # The second image's first object is the third of all.
    assert truth_boxes(found, 1, CLASSES).rows == [0]
    assert found_boxes(found, 1, CLASSES, 0.3).captions == ['dog 0.60'], 'the other is below'
    assert found_boxes(found, 2, CLASSES, 0.3).rows == []


@pytest.mark.parametrize('with_masks', [False, True])
def test_boxes_and_masks_are_scaled_with_the_image(with_masks: bool) -> None:
    image = np.full((SIZE, SIZE, 3), 90, np.uint8)
    masks = results()[0]['masks'] if with_masks else None
    panel = draw_panel(image, found_boxes(evaluated(), 0, CLASSES, 0.3), masks)
    assert panel.shape == (420, 420, 3)
    # The wrong box, 50 to 90, 0 to 40: scaled by 4.2.
    assert tuple(panel[168, 300]) == WRONG and tuple(panel[100, 210]) == WRONG
    inside = [int(0.55 * 90 + 0.45 * value) for value in WRONG] if with_masks else [90] * 3
    assert panel[130, 300].tolist() == inside
    assert (panel[300:] == 90).all()


def test_each_image_has_a_file_a_score_and_a_note(tmp_path: Path) -> None:
    found = evaluated(image_file(tmp_path))
    best, worst = detection_overlays(tmp_path, found, None, CLASSES, 0.3)
    assert [each.note for each in (*best, *worst)] == [
        '1 right, 1 wrong, 1 missed',
        '1 right, 0 wrong, 0 missed',
        '0 right, 1 wrong, 0 missed',
    ]
    assert [each.score for each in (*best, *worst)] == pytest.approx([0.5, 0.3, 0])
    assert [each.file for each in (*best, *worst)] == [
        tmp_path / 'images' / name for name in ('best_1.jpg', 'best_2.jpg', 'worst_1.jpg')
    ]
    assert best[0].name == 'image.png' and best[0].uris[0].startswith('data:image/jpeg')
    assert cv2.imread(str(best[0].file)).shape == (420, 848, 3), 'two panels and a gap'


def test_a_missing_image_keeps_its_drawing(tmp_path: Path) -> None:
    found = evaluated(image_file(tmp_path))
    detection_overlays(tmp_path, found, None, CLASSES, 0.3)
    (tmp_path / 'image.png').unlink()
    assert detection_overlays(tmp_path, found, None, CLASSES, 0.3)[0][0].file is not None
    (tmp_path / 'images' / 'best_1.jpg').unlink()
    gone = detection_overlays(tmp_path, found, None, CLASSES, 0.3)[0][0]
    assert gone.file is None and gone.uris == []


def test_label_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[np.ndarray] = []
    monkeypatch.setattr(overlays.panels, 'write_jpeg', lambda path, image: written.append(image))
    maps = tmp_path / 'data' / 'maps'
    maps.mkdir(parents=True)
    for kind, right in (('truth', 1), ('found', 0)):
        values = np.zeros((10, 10), np.uint8)
        values[:, 5:] = right
        cv2.imwrite(str(maps / f'0_{kind}.png'), values)
    found = Segments(np.array([image_file(tmp_path)]), np.array([0.5]), np.zeros((2, 2), int))
    palette = np.array([[0, 0, 0], [0, 0, 200]], np.uint8)
    (overlay,), worst = segmentation_overlays(tmp_path, found, palette, CLASSES)
    assert worst == [] and (overlay.score, overlay.note, overlay.file) == (0.5, '', None)
    (joined,) = written
    left, middle, right = joined[400, :420], joined[400, 428:848], joined[400, 856:]
    black, blue = [int(0.35 * 90)] * 3, [int(0.35 * 90), int(0.35 * 90), int(0.35 * 90 + 130)]
    assert (left[:205] == black).all() and (left[215:] == blue).all()
    assert (middle == black).all()
    # The right half is wrong: red on 90 / 2 + 90 grey.
    assert (right[:205] == 135).all()
    assert (right[215:] == [int(0.25 * 135 + 0.75 * value) for value in WRONG]).all()
