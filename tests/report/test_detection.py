"""Detections by hand, and compared with pycocotools' summary."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval

from effnet_dense.report.detection import average, evaluate
from effnet_dense.report.detection_sections import class_table
from tests.helpers.known_detections import CAT_IDS, CLASSES, coco, result, results, thing, truth


def test_counts_and_scores_by_hand() -> None:
    found = evaluate(results(), truth(), CAT_IDS, score_thr=0.3)
    # Right, wrong, missed at IoU 0.5: the second image's dog is found with IoU 0.6.
    assert found.counts.tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 0]]
    # IoU 0.6 counts at 0.50, 0.55 and 0.60: three of ten thresholds.
    assert found.scores[[0, 1, 3]].tolist() == pytest.approx([0.5, 0.3, 0])
    assert np.isnan(found.scores[2]), 'nothing was there and nothing was found'
    assert found.truth_found.tolist() == [True, False, True]
    assert found.found_right.tolist() == [1, 0, 1, 0, 0]
    above = evaluate(results(), truth(), CAT_IDS, score_thr=0.7)
    assert above.counts.tolist() == [[1, 1, 1], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert above.truth_found.tolist() == [True, False, False]


def test_confusion_by_hand() -> None:
    found = evaluate(results(), truth(), CAT_IDS, score_thr=0.3)
    # cat: right; dog: once a cat, once right; background: a cat.
    assert found.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 0]]
    low = evaluate(results(), truth(), CAT_IDS, score_thr=0.1)
    assert low.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 0]], 'found twice'
    high = evaluate(results(), truth(), CAT_IDS, score_thr=0.95)
    assert high.confusion.tolist() == [[0, 0, 1], [0, 0, 2], [0, 0, 0]], 'all missed'


def test_crowds_neither_help_nor_harm() -> None:
    api = coco(1, [thing(0, 0, 0, 0, 20, 20)])
    api.dataset['annotations'].append(thing(0, 0, 30, 30, 60, 60, id=2, iscrowd=1))
    api.createIndex()
    boxes = result(0, (0, 0.9, 0, 0, 20, 20), (0, 0.8, 40, 40, 10, 10), (0, 0.7, 0, 60, 10, 10))
    found = evaluate([boxes], api, CAT_IDS, score_thr=0.3)
    assert found.found_right.tolist() == [1, -1, 0]
    assert found.counts.tolist() == [[1, 1, 0]]
    assert found.confusion.tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize('kind', ['bbox', 'segm'])
def test_precision_and_recall_are_pycocotools(kind: str) -> None:
    draw = np.random.default_rng(3)
    annotations, rows = [], []
    for image in range(6):
        corners = draw.integers(0, 60, (4, 2))
        objects = [(int(draw.integers(2)), x, y, 30, 24) for x, y in corners.tolist()]
        annotations += [thing(image, *each) for each in objects]
        noisy = [
            (label, draw.random(), x + int(draw.integers(5)), y + int(draw.integers(5)), w, h)
            for label, x, y, w, h in [*objects, objects[0]]
        ]
        rows.append(result(image, *noisy))
    api = coco(6, annotations)
    found = evaluate(rows, api, CAT_IDS, score_thr=0.3, masks=True)
    with redirect_stdout(StringIO()):
        detections = [
            dict(
                image_id=each['img_id'],
                category_id=CAT_IDS[label],
                score=float(score),
                **(
                    dict(bbox=[x1, y1, x2 - x1, y2 - y1])
                    if kind == 'bbox'
                    else dict(segmentation=mask)
                ),
            )
            for each in rows
            for label, score, (x1, y1, x2, y2), mask in zip(
                each['labels'], each['scores'], each['boxes'].tolist(), each['masks'], strict=True
            )
        ]
        reference = COCOeval(api, api.loadRes(detections), kind)
        reference.params.catIds = list(CAT_IDS)
        reference.evaluate()
        reference.accumulate()
        reference.summarize()
    prefix = '' if kind == 'bbox' else 'mask_'
    precision, recall = (getattr(found, f'{prefix}{name}') for name in ('precision', 'recall'))
    # It sorts categories by their ids, which is the other order here.
    np.testing.assert_array_equal(precision, reference.eval['precision'][:, :, ::-1, 0, -1])
    np.testing.assert_array_equal(recall, reference.eval['recall'][:, ::-1, 0, -1])
    averages = [average(precision), average(precision[0]), average(precision[5]), average(recall)]
    assert averages == pytest.approx(reference.stats[[0, 1, 2, 8]])
    assert 0.1 < averages[0] < 0.95, 'the example is neither trivial nor hopeless'


def test_table_by_hand() -> None:
    found = evaluate(results(), truth(), CAT_IDS, score_thr=0.3)
    table = class_table(found, CLASSES, score_thr=0.3)
    assert table.columns[-4:] == ['objects', 'detections', 'precision', 'recall']
    cat, dog = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert cat['AP'] == pytest.approx(1)  # its first detection, the surest, is right
    assert [cat['objects'], cat['detections'], cat['recall']] == [1, 3, 1]
    assert cat['precision'] == pytest.approx(1 / 3)
    assert [dog['objects'], dog['detections'], dog['precision'], dog['recall']] == [2, 1, 1, 0.5]


def test_nothing_found_at_all() -> None:
    found = evaluate([result(0), result(1)], truth(), CAT_IDS, score_thr=0.3, masks=True)
    assert found.counts.tolist() == [[0, 0, 2], [0, 0, 1]]
    assert average(found.precision) == average(found.mask_precision) == 0
    empty = evaluate([result(2)], truth(), CAT_IDS, score_thr=0.3)
    assert np.isnan(average(empty.precision)) and np.isnan(empty.scores).all()
