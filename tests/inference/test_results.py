"""The files of a folder of predictions."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from panopticapi.utils import rgb2id

from effnet_dense.inference.categories import CocoIds, default_ids
from effnet_dense.inference.results import Results
from effnet_dense.utils.atomic import partial_path

CLASSES = ('square', 'bar', 'ring')


def test_panoptic_maps_and_their_file(tmp_path: Path) -> None:
    panoptic = torch.full((1, 4, 6), 2)
    panoptic[0, :2, :2] = 1000
    sample = DetDataSample(pred_panoptic_seg=PixelData(sem_seg=panoptic))
    results = Results(tmp_path, CLASSES, default_ids(CLASSES), things=2)
    results.add('deep/x.jpg', (4, 6), sample)
    results.close()
    content = json.loads((tmp_path / 'panoptic.json').read_text(encoding='utf-8'))
    (entry,) = content['annotations']
    assert (entry['image_id'], entry['file_name']) == (1, 'deep/x.png')
    assert [segment['category_id'] for segment in entry['segments_info']] == [3, 1]
    ids = rgb2id(cv2.imread(str(tmp_path / 'panoptic' / 'deep' / 'x.png'))[..., ::-1])
    assert ids.tolist() == [[2, 2, 1, 1, 1, 1]] * 2 + [[1] * 6] * 2
    assert [category['isthing'] for category in content['categories']] == [1, 1, 0]


def test_image_ids_are_given_or_the_next_free_ones(tmp_path: Path) -> None:
    empty = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0), labels=torch.zeros(0))
    results = Results(tmp_path, CLASSES, CocoIds((4, 5, 6), {'b.jpg': 7}))
    for name in ('a.jpg', 'b.jpg', 'c.jpg'):
        results.add(name, (3, 2), DetDataSample(pred_instances=empty), frame_id=1)
    assert partial_path(tmp_path / 'predictions.json').is_file(), 'unfinished'
    results.close()
    listing = json.loads((tmp_path / 'images.json').read_text(encoding='utf-8'))
    assert [image['id'] for image in listing['images']] == [8, 7, 9]
    first = dict(id=8, file_name='a.jpg', width=2, height=3, frame_id=1)
    assert listing['images'][0] == first
    assert [category['id'] for category in listing['categories']] == [4, 5, 6]
    assert json.loads((tmp_path / 'predictions.json').read_text(encoding='utf-8')) == []


def test_label_maps_of_many_classes_have_two_bytes(tmp_path: Path) -> None:
    for count, kind in ((255, np.uint8), (256, np.uint16)):
        names = tuple(str(index) for index in range(count))
        results = Results(tmp_path, names, default_ids(names))
        labels = torch.full((1, 2, 3), count - 1)
        results.add('a.jpg', (2, 3), SegDataSample(pred_sem_seg=PixelData(data=labels)))
        results.close()
        written = cv2.imread(str(tmp_path / 'labels' / 'a.png'), cv2.IMREAD_UNCHANGED)
        assert written.dtype == kind and (written == count - 1).all()
        categories = json.loads((tmp_path / 'images.json').read_text(encoding='utf-8'))[
            'categories'
        ]
        assert [category['id'] for category in categories] == [*range(count)]
