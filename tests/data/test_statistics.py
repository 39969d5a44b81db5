"""Objects are counted by class and by their size in pixels as training sees them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from effnet_dense.data.statistics import (
    ClassCounts,
    Resizing,
    count_config,
    count_objects,
    imbalance,
    object_table,
    total,
    training_size,
)
from tests.helpers.coco_folder import Coco, tiny_coco


def objects() -> Coco:
    """Boxes of 4, 16, 64 and 200 px in an image of 640 × 480, and a crowd."""
    data = tiny_coco()
    data['images'] = [dict(id=1, file_name='a.png', width=640, height=480)]
    data['annotations'] = [
        dict(id=i, image_id=1, category_id=category, bbox=[0, 0, side, side], iscrowd=i == 9)
        for i, category, side in ((1, 90, 4), (2, 90, 16), (3, 7, 64), (4, 90, 200), (9, 7, 30))
    ]
    return data


def test_counts_by_class_and_size() -> None:
    cat, ant, bee = count_objects(objects())
    assert cat == ClassCounts('cat', 1, 3, 1, 2, 0, 1)
    assert ant == ClassCounts('ant', 1, 1, 0, 0, 1, 0)
    assert bee == ClassCounts('bee', 0, 0, 0, 0, 0, 0)
    assert total([cat, ant, bee]) == ('all', '', 4, 1, 2, 1, 1)


def test_sizes_are_those_of_the_resized_image() -> None:
    cat, ant, _ = count_objects(objects(), Resizing(320, 320))
    assert (cat.below_8, cat.small, cat.medium, cat.large) == (1, 2, 0, 1)  # 2, 8 and 100 px
    assert (ant.small, ant.medium) == (0, 1)  # 32 px
    cat, ant, _ = count_objects(objects(), Resizing(300, 300))
    assert (cat.below_8, cat.medium, cat.large) == (2, 1, 0)  # 1.9, 7.5 and 93.75 px
    assert ant.small == 1  # 30 px


@pytest.mark.parametrize(
    ('size', 'factors'),
    [
        (Resizing(320, 320), (0.5, 0.5)),
        (Resizing(1333, 800), (5 / 3, 5 / 3)),
        (Resizing(320, 480, keep_ratio=False), (0.5, 1.0)),
    ],
)
def test_factors(size: Resizing, factors: tuple[float, float]) -> None:
    assert np.allclose(size.factors(np.array([[640.0, 480.0]])), [factors])


def config(*pipeline: dict[str, object], **dataset: object) -> Config:
    train = dict(type='CocoDataset', pipeline=list(pipeline), **dataset)
    return Config(dict(train_dataloader=dict(dataset=dict(type='RepeatDataset', dataset=train))))


@pytest.mark.parametrize(
    ('step', 'expected'),
    [
        (dict(type='Resize', scale=(640, 480), keep_ratio=True), Resizing(640, 480)),
        (dict(type='Resize', scale=320), Resizing(320, 320, keep_ratio=False)),
        (
            dict(type='RandomChoiceResize', scales=[(640, 480), (960, 720), (1280, 960)]),
            Resizing(960, 720, keep_ratio=False),
        ),
        (
            dict(type='mmdet.RandomResize', scale=(640, 640), ratio_range=(0.1, 2), keep_ratio=1),
            Resizing(640, 640),
        ),
        (dict(type='RandomFlip'), None),
    ],
)
def test_training_size(step: dict[str, object], expected: Resizing | None) -> None:
    assert training_size(config(dict(type='LoadImageFromFile'), step)) == expected


def test_of_a_config(tmp_path: Path) -> None:
    (tmp_path / 'a.json').write_text(json.dumps(objects()), encoding='utf-8')
    resize = dict(type='Resize', scale=(300, 300), keep_ratio=True)
    cfg = config(resize, data_root=f'{tmp_path}/', ann_file='a.json')
    counted = count_config(cfg)
    assert list(counted) == ['train'] and counted['train'][0].below_8 == 2
    assert count_config(cfg, most_bytes=10) == {}
    (tmp_path / 'b.json').write_text('{"images": []}', encoding='utf-8')
    assert count_config(config(resize, data_root=f'{tmp_path}/', ann_file='b.json')) == {}
    assert count_config(config(resize, data_root=str(tmp_path), ann_file='gone.json')) == {}


def test_table_and_imbalance() -> None:
    rows = count_objects(objects())
    lines = object_table(rows).splitlines()
    assert lines[0].split()[:3] == ['class', 'images', 'objects']
    assert [line.split()[0] for line in lines[1:]] == ['cat', 'ant', 'bee', 'all']
    assert imbalance(rows) == 'cat has 3 × as many objects as ant (3 and 1)'
    assert imbalance(rows[:1]) == ''
    many = [ClassCounts(f'c{i}', 1, 100 - i, 0, 0, 0, 0) for i in range(50)]
    lines = object_table(many, most=5).splitlines()
    assert len(lines) == 8 and lines[5] == '… 45 more classes'
    assert lines[1].startswith('c0') and lines[6].startswith('c49') and lines[7].startswith('all')
    assert total([]) == ('all', '', 0, 0, 0, 0, 0)
