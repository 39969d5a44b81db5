"""Collected results become the data of a page."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from panopticapi.evaluation import PQStat
from pycocotools import mask as coco_mask

from effnet_dense.report.collectors import (
    Collector,
    DetectionCollector,
    PanopticCollector,
    SegmentationCollector,
)
from effnet_dense.report.detection import Detections
from effnet_dense.report.save import save_results
from effnet_dense.report.segmentation import Segments
from effnet_dense.report.store import load_arrays, load_json
from effnet_dense.utils.outputs import MARK
from tests.helpers.known_detections import CAT_IDS, SIZE, results, truth


def collector(kind: type[Collector], gathered: list[Any], **source: Any) -> Any:
    made = kind(cast(Any, SimpleNamespace(collect_device='cpu', **source)))
    made.gathered = gathered
    return made


def detections(metrics: list[str], gathered: list[Any]) -> Any:
    return collector(
        DetectionCollector, gathered, metrics=metrics, _coco_api=truth(), cat_ids=list(CAT_IDS)
    )


def test_boxes(tmp_path: Path) -> None:
    save_results(tmp_path, detections(['bbox'], results()), 0.3)
    found = load_arrays(tmp_path / 'detections.npz', Detections)
    assert found is not None and found.counts.tolist()[0] == [1, 1, 1]
    assert found.mask_precision.size == 0
    assert not (tmp_path / 'masks.json').exists()


def test_masks_of_the_shown_images(tmp_path: Path) -> None:
    save_results(tmp_path, detections(['bbox', 'segm'], results()), 0.3)
    masks = load_json(tmp_path / 'masks.json')
    assert set(masks) == {'0', '1', '3'}, 'the third image has no score'
    first = masks['0']
    for kind, columns in (('truth', [20, 70]), ('found', [20, 70])):
        decoded = [coco_mask.decode(mask) for mask in first[kind]]
        assert [int(mask.sum()) for mask in decoded] == [1600, 1600]
        assert all(mask.shape == (SIZE, SIZE) for mask in decoded)
        assert all(mask[20, column] for mask, column in zip(decoded, columns, strict=True))
    found = load_arrays(tmp_path / 'detections.npz', Detections)
    assert found is not None and found.mask_precision.shape == (10, 101, 2)


def test_boxes_alone_where_a_result_has_no_masks(tmp_path: Path) -> None:
    without = [{**result, 'masks': None} for result in results()]
    save_results(tmp_path, detections(['bbox', 'segm'], without), 0.3)
    assert {path.name for path in tmp_path.iterdir()} == {MARK, 'detections.npz'}


def test_label_maps(tmp_path: Path) -> None:
    png = cv2.imencode('.png', np.full((2, 2), 7, np.uint8))[1].tobytes()
    matrix = torch.tensor([[3, 1], [0, 0]]).to_sparse()
    gathered = [
        dict(path='a.png', matrix=matrix, truth=png, found=png),
        dict(path='b.png', matrix=0 * matrix, truth=png, found=png),
    ]
    save_results(tmp_path, collector(SegmentationCollector, gathered), 0.3)
    found = load_arrays(tmp_path / 'segments.npz', Segments)
    assert found is not None and found.matrix.tolist() == [[3, 1], [0, 0]]
    # The second image has only ignored pixels, and no score.
    found_files = {path.name for path in (tmp_path / 'maps').iterdir()}
    assert found_files == {MARK, '0_found.png', '0_truth.png'}
    assert (tmp_path / 'maps' / '0_truth.png').read_bytes() == png


def test_panoptic_quality_by_hand(tmp_path: Path) -> None:
    first, second = PQStat(), PQStat()
    first[1].tp, first[1].iou = 1, 0.8
    second[1].tp, second[1].iou, second[1].fp, second[1].fn = 1, 0.6, 1, 1
    categories = {1: dict(name='cat', isthing=1), 2: dict(name='sky', isthing=0)}
    save_results(
        tmp_path, collector(PanopticCollector, [first, second], categories=categories), 0.3
    )
    cat, sky = load_json(tmp_path / 'panoptic.json')
    # IoU 1.4 of two matches; two matches of 2 + (1 + 1) / 2.
    assert cat == dict(
        name='cat',
        pq=pytest.approx(1.4 / 3),
        sq=pytest.approx(0.7),
        rq=pytest.approx(2 / 3),
    )
    assert sky == dict(name='sky', pq=0, sq=0, rq=0)


def test_nothing_was_evaluated(tmp_path: Path) -> None:
    for kind in (DetectionCollector, SegmentationCollector, PanopticCollector):
        save_results(tmp_path, collector(kind, []), 0.3)
    assert not list(tmp_path.iterdir())
