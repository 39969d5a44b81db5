"""Predictions convert to arrays, COCO's results and supervision, and draw themselves."""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from pycocotools import mask as coco_mask

from effnet_dense.inference import Predictor
from effnet_dense.inference.prediction import DetPrediction, Prediction, as_prediction
from tests.helpers.tiny_models import CLASSES, detector, saved
from tests.helpers.versions import assert_drawn

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.fixture(scope='module')
def boxes(detecting: Predictor) -> Any:
    """Five detections."""
    return detecting(NOISE)


def with_masks(detecting: Predictor) -> Any:
    """Two instances with masks."""
    masks = torch.zeros(2, 48, 64, dtype=torch.bool)
    masks[0, 10:20, 5:25] = masks[1, 0:4, 0:8] = True
    instances = InstanceData(
        bboxes=torch.tensor([[5.0, 10, 25, 20], [0, 0, 8, 4]]),
        scores=torch.tensor([0.9, 0.4]),
        labels=torch.tensor([2, 0]),
        masks=masks,
    )
    sample = DetDataSample(metainfo={'img_path': None, 'ori_shape': (48, 64)})
    sample.pred_instances = instances
    return as_prediction(sample, detecting._context)


def panoptic(detecting: Predictor) -> Any:
    """Two things of class 0 and 1, stuff of class 2, void."""
    labels = torch.full((1, 48, 64), 3)
    labels[0, :10] = 2
    labels[0, 20:30, :10], labels[0, 20:30, 20:40] = 1000, 2001
    sample = DetDataSample(metainfo={'ori_shape': (48, 64)})
    sample.pred_panoptic_seg = PixelData(sem_seg=labels)
    return as_prediction(sample, detecting._context)


def test_it_is_the_librarys_sample(boxes: Any) -> None:
    assert isinstance(boxes, DetDataSample) and isinstance(boxes, Prediction)
    assert boxes.classes == CLASSES
    names = [CLASSES[label] for label in boxes.pred_instances.labels]
    assert boxes.class_names == names and len(names) == 5


def test_arrays_equal_the_tensors(boxes: Any) -> None:
    found = boxes.to_numpy()
    assert set(found) == {'bboxes', 'scores', 'labels'}
    for name, values in found.items():
        assert np.array_equal(values, boxes.pred_instances[name].numpy())


def test_copies_keep_the_classes(boxes: Any) -> None:
    for other in (boxes.cpu(), boxes.clone(), copy.deepcopy(boxes), boxes.to('cpu')):
        assert other.class_names == boxes.class_names
    boxes.draw(NOISE)
    assert pickle.loads(pickle.dumps(boxes)).class_names == boxes.class_names


def test_without_a_predictor_the_classes_are_unknown() -> None:
    with pytest.raises(ValueError, match='made without a Predictor'):
        _ = DetPrediction().classes


def test_coco_has_boxes_as_width_and_height(boxes: Any) -> None:
    entries = boxes.to_coco(image_id=7, categories=(10, 20, 30))
    first = boxes.pred_instances[0]
    x1, y1, x2, y2 = first.bboxes[0].tolist()
    assert entries[0]['image_id'] == 7
    assert entries[0]['category_id'] == (10, 20, 30)[int(first.labels)]
    assert entries[0]['bbox'] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=1e-3)
    assert [entry['category_id'] for entry in boxes.to_coco()] == [
        int(label) + 1 for label in boxes.pred_instances.labels
    ]
    with pytest.raises(ValueError, match='expected 3 categories, got 2'):
        boxes.to_coco(categories=(1, 2))


def test_coco_has_masks_as_run_lengths(detecting: Predictor) -> None:
    sample = with_masks(detecting)
    for entry, mask in zip(sample.to_coco(), sample.pred_instances.masks, strict=True):
        assert np.array_equal(coco_mask.decode(entry['segmentation']), mask.numpy())


def test_label_map(segmenting: Predictor) -> None:
    sample = segmenting(NOISE)
    found = sample.to_numpy()
    assert found['label_map'].shape == (48, 64)
    assert sample.class_names == [CLASSES[label] for label in np.unique(found['label_map'])]
    areas = [coco_mask.area(entry['segmentation']) for entry in sample.to_coco()]
    assert sum(areas) == 48 * 64
    drawn = sample.draw(NOISE)
    assert drawn.shape == NOISE.shape and not np.array_equal(drawn, NOISE)


def test_panoptic_map(detecting: Predictor) -> None:
    sample = panoptic(detecting)
    found = sample.to_numpy()
    assert sample.class_names == ['ring', 'square', 'bar']
    assert [(found['segment_map'] == number).sum() for number in range(4)] == [
        48 * 64 - 10 * 64 - 100 - 200,
        640,
        100,
        200,
    ]
    assert [entry['category_id'] for entry in sample.to_coco()] == [3, 1, 2]
    assert [entry['area'] for entry in sample.to_coco()] == [640, 100, 200]


def test_supervision(detecting: Predictor, segmenting: Predictor, boxes: Any) -> None:
    pytest.importorskip('supervision', reason='needs supervision')
    found = boxes.to_supervision()
    assert np.array_equal(found.xyxy, boxes.pred_instances.bboxes.numpy())
    assert np.array_equal(found.confidence, boxes.pred_instances.scores.numpy())
    assert found.data['class_name'].tolist() == boxes.class_names
    masked = with_masks(detecting).to_supervision()
    assert masked.mask.sum((1, 2)).tolist() == [200, 32]
    segments = panoptic(detecting).to_supervision()
    assert segments.xyxy.tolist() == [[0, 0, 64, 10], [0, 20, 10, 30], [20, 20, 40, 30]]
    assert segmenting(NOISE).to_supervision().mask.sum() == 48 * 64
    empty = detecting.predict([NOISE])[0]
    empty.pred_instances = empty.pred_instances[:0]
    assert len(empty.to_supervision()) == 0


def test_supervision_is_optional(boxes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'supervision', None)
    with pytest.raises(ImportError, match='pip install supervision'):
        boxes.to_supervision()


def test_files_are_drawn_by_their_path(detecting: Predictor, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'a.png'), NOISE)
    sample = detecting(tmp_path / 'a.png')
    certain = sample.pred_instances.scores  # perhaps: the weights are random
    sample.pred_instances.scores = certain.clamp(max=0.999)
    assert np.array_equal(sample.draw(score_thr=0.0), sample.draw(NOISE, score_thr=0.0))
    assert_drawn(sample.draw(score_thr=1.0), NOISE)
    assert not np.array_equal(sample.draw(score_thr=0.0), NOISE)


def test_arrays_are_not_kept(boxes: Any) -> None:
    with pytest.raises(ValueError, match=r'call draw\(image\)'):
        boxes.draw()
    with pytest.raises(ValueError, match='score_thr'):
        boxes.draw(NOISE, score_thr=30)


def test_low_scores_are_dropped(boxes: Any, tmp_path: Path) -> None:
    path = saved(detector(), tmp_path / 'epoch_1.pth')
    scores = boxes.pred_instances.scores
    limit = float(scores[2])
    found = Predictor(detector(), path, 'cpu', score_thr=limit)(NOISE).pred_instances
    assert torch.equal(found.scores, scores[scores >= limit]) and len(found.scores) >= 3
    with pytest.raises(ValueError, match='score_thr'):
        Predictor(detector(), path, 'cpu', score_thr=1.5)
