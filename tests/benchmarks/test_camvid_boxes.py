"""CamVid's label maps as a detection set."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from benchmarks.camvid_boxes import CLASSES, coco_of, objects_of


def test_boxes_and_masks_of_connected_parts() -> None:
    labels = np.zeros((60, 80), np.uint8)
    labels[10:30, 5:15] = 3  # 200 pixels
    labels[30:40, 15:30] = 3  # touches the first at a corner
    labels[50:55, 60:70] = 3  # 50 pixels: too small
    labels[0:20, 40:60] = 4  # another class
    (found,) = objects_of(labels, 3)
    assert (found['bbox'], found['area']) == ([5, 10, 25, 30], 350)
    mask = coco_mask.decode(found['segmentation'])
    assert mask.sum() == 350 and mask[10:40, 5:30].sum() == 350


def test_a_part_in_coco_format(tmp_path: Path) -> None:
    (tmp_path / 'labels' / 'val').mkdir(parents=True)
    names = ['sky', *CLASSES]
    (tmp_path / 'classes.json').write_text(json.dumps({'classes': names}), encoding='utf-8')
    labels = np.zeros((40, 60), np.uint8)
    labels[5:25, 10:30] = names.index('pedestrian')
    cv2.imwrite(str(tmp_path / 'labels/val/a.png'), labels)
    found = coco_of(tmp_path, 'val')
    assert found['images'] == [dict(id=1, file_name='a.jpg', height=40, width=60)]
    (box,) = found['annotations']
    assert box['bbox'] == [10, 5, 20, 20] and box['segmentation']['size'] == [40, 60]
    assert found['categories'][box['category_id'] - 1]['name'] == 'pedestrian'


def test_without_label_maps(tmp_path: Path) -> None:
    (tmp_path / 'classes.json').write_text('{"classes": []}', encoding='utf-8')
    with pytest.raises(FileNotFoundError, match='no label maps'):
        coco_of(tmp_path, 'train')
