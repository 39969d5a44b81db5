"""What is seen of a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from effnet_dense.analysis.plan.facts import has_masks, look_at
from effnet_dense.data import make_demo
from effnet_dense.data.statistics import Resizing
from tests.helpers.tiny import write_data


def test_boxes(tmp_path: Path) -> None:
    facts = look_at(write_data(tmp_path, train=4, val=2))
    assert (facts.task, facts.train, facts.val) == ('detection', 4, 2)  # its masks are boxes
    assert facts.objects == {'square': 4, 'bar': 4} and facts.per_image == 2
    assert facts.image_size == (64, 64)
    assert facts.share_from(16) == 0.5
    assert facts.share_from(16, Resizing(128, 128)) == 1.0
    assert facts.share_from(16, Resizing(32, 32)) == 0.0
    text = '\n'.join(facts.describe())
    assert 'the task is detection' in text and '4 images to train on, 2 to evaluate' in text


def test_masks_and_label_maps(tmp_path: Path) -> None:
    folder = make_demo(tmp_path / 'demo', train=3, val=2)
    assert look_at(folder).task == 'instances'
    assert look_at(folder, 'detection').task == 'detection'
    facts = look_at(folder, 'semantic')
    assert facts.task == 'semantic' and facts.train == 3
    assert facts.weight.sum() == pytest.approx(1)
    assert facts.share_from(0) == pytest.approx(1)
    assert len(facts.objects) == len(facts.classes) == 7
    assert 'size of the region of a pixel in px, percentiles 5/25/50/75/95: ' in '\n'.join(
        facts.describe()
    )


def test_images_without_objects_are_not_trained_on(tmp_path: Path) -> None:
    write_data(tmp_path, train=4, val=2)
    path = tmp_path / 'annotations' / 'train.json'
    data = json.loads(path.read_text(encoding='utf-8'))
    data['annotations'] = [r for r in data['annotations'] if r['image_id'] != 4]
    path.write_text(json.dumps(data), encoding='utf-8')
    assert look_at(tmp_path).train == 3


@pytest.mark.parametrize(
    ('segmentations', 'masks'),
    [
        ([[[0, 0, 4, 0, 4, 4, 0, 4]]], False),
        ([[[0, 0, 4, 0, 4, 4, 0, 4]], [[0, 0, 4, 1, 4, 4, 0, 4]]], True),
        ([[[0, 0, 4, 0, 2, 4]], []], False),
        ([{'size': [4, 4], 'counts': [0, 16]}], True),
        ([], False),
    ],
)
def test_masks_are_more_than_boxes(segmentations: list[object], masks: bool) -> None:
    assert has_masks([{'segmentation': value} for value in segmentations]) is masks


def test_no_data_and_no_such_task(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='nothing'):
        look_at(tmp_path)
    with pytest.raises(ValueError, match='detection, instances, semantic'):
        look_at(tmp_path, 'pose')
    write_data(tmp_path)
    with pytest.raises(FileNotFoundError, match='label maps'):
        look_at(tmp_path, 'semantic')
    assert np.isfinite(look_at(tmp_path).sides).all()
