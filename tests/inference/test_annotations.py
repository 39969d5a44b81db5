"""Detections as a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from effnet_dense.data.coco.folder import find_coco
from effnet_dense.inference import Predictor, infer
from effnet_dense.inference.annotations import dataset_annotations, polygons


def found(masks: bool = False) -> InstanceData:
    """A square, one below the score, one without area."""
    boxes = [[2.0, 1.0, 6.0, 4.0], [0.0, 0.0, 2.0, 2.0], [3.0, 3.0, 3.0, 5.0]]
    instances = InstanceData(
        bboxes=torch.tensor(boxes),
        scores=torch.tensor([0.5, 0.49, 0.9]),
        labels=torch.tensor([1, 0, 0]),
    )
    if masks:
        instances.masks = torch.zeros(3, 6, 8, dtype=torch.bool)
        instances.masks[0, 1:4, 2:6] = True
    return instances


def test_boxes_from_a_score_on() -> None:
    (entry,) = dataset_annotations(found(), 7, (4, 9), 0.5, 12)
    assert entry == {
        'id': 12,
        'image_id': 7,
        'category_id': 9,
        'bbox': [2.0, 1.0, 4.0, 3.0],
        'area': 12.0,
        'iscrowd': 0,
        'segmentation': [],
        'score': 0.5,
    }


def test_masks_are_polygons() -> None:
    (entry,) = dataset_annotations(found(masks=True), 7, (4, 9), 0.3, 1)
    assert entry['area'] == 12
    (outline,) = entry['segmentation']
    assert sorted(zip(outline[::2], outline[1::2], strict=True)) == [(2, 1), (2, 3), (5, 1), (5, 3)]
    ring = np.ones((9, 9), np.uint8)
    ring[3:6, 3:6] = 0
    assert len(polygons(ring)) == 1, 'the hole is filled'
    line = np.zeros((4, 4), np.uint8)
    line[1, 1:3] = 1
    assert polygons(line) == [], 'no polygon has two corners'


def test_the_file_is_a_dataset(detecting: Predictor, tmp_path: Path) -> None:
    images = tmp_path / 'images'
    (images / 'a').mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name in ('a/1.png', '2.png'):
        cv2.imwrite(str(images / name), draw.integers(0, 256, (64, 64, 3), np.uint8))
    infer(detecting, [images], tmp_path / 'out', annotate=0.0)
    content = json.loads((tmp_path / 'out/annotations.json').read_text(encoding='utf-8'))
    listed = json.loads((tmp_path / 'out/predictions.json').read_text(encoding='utf-8'))
    assert len(content['annotations']) == len(listed) > 0
    assert [entry['id'] for entry in content['annotations']] == [*range(1, len(listed) + 1)]
    for entry, one in zip(content['annotations'], listed, strict=True):
        assert {key: entry[key] for key in one} == one
    (tmp_path / 'out/annotations.json').rename(images / 'annotations.json')
    source = find_coco(images, scratch=tmp_path / 'work')
    assert set(source.splits) == {'train', 'val'}, 'one image each'
    assert source.classes == tuple(detecting.dataset_meta['classes'])


def test_label_maps_have_no_boxes(segmenting: Predictor, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='annotate is for detectors'):
        infer(segmenting, [tmp_path], tmp_path / 'out', annotate=0.5)
