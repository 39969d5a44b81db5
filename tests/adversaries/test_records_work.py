"""A thousand records, however they were made, take a bounded amount of work."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from effnet_dense.data.coco.folder import find_coco
from effnet_dense.data.masks import MAX_PERIMETER
from tests.helpers.coco_folder import tiny_coco, write_folder

RECORDS = 1000
WIDTH, HEIGHT = 1600, 1200
RASTERISED = 'pycocotools.mask.frPyObjects'
Make = Callable[[int, random.Random], Any]


def zigzag(length: float) -> list[list[float]]:
    """A polygon across the image and its margin, with outlines of a length in pixels."""
    points = max(3, int(length / (3 * WIDTH)))
    x = np.where(np.arange(points) % 2, -WIDTH, 2 * WIDTH)
    y = np.linspace(-HEIGHT, 2 * HEIGHT, points)
    return [np.stack([x, y], axis=1).ravel().tolist()]


LONGEST = zigzag(0.9 * MAX_PERIMETER)
BEYOND = zigzag(1.5 * MAX_PERIMETER)[0]
MASKS: dict[str, Make] = {
    'longest outlines': lambda i, draw: LONGEST,
    'outlines beyond the limit': lambda i, draw: [BEYOND],
    'hundreds of polygons': lambda i, draw: [[0, 0, 9, 0, 9, 9]] * 300,
    'far coordinates': lambda i, draw: [[0, 0, 2e8, 0, 2e8, 2e8]],
    'empty runs': lambda i, draw: {
        'size': [HEIGHT, WIDTH],
        'counts': [0] * 3000 + [WIDTH * HEIGHT],
    },
    'runs of one pixel': lambda i, draw: {
        'size': [HEIGHT, WIDTH],
        'counts': [1] * 3000 + [WIDTH * HEIGHT - 3000],
    },
    'long text': lambda i, draw: {'size': [HEIGHT, WIDTH], 'counts': 'o' * 5000},
    'nested lists': lambda i, draw: json.loads('[' * 90 + ']' * 90),
}


def dataset(mask: Make, root: Path) -> Path:
    """A thousand annotations that need an area and an id; val is sound."""
    data, draw = tiny_coco(), random.Random(0)
    data['images'][0] |= {'width': WIDTH, 'height': HEIGHT}
    data['annotations'] = [
        {'image_id': 12, 'category_id': 7, 'bbox': [4, 4, 9, 9], 'segmentation': mask(i, draw)}
        for i in range(RECORDS)
    ]
    write_folder(root, train=data)
    cv2.imwrite(str(root / 'images/train/a.png'), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return root


def check(root: Path, run: Path) -> str:
    try:
        return find_coco(root, masks=('train',), scratch=run).summary()
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize('name', ['longest outlines', 'outlines beyond the limit'])
def test_long_outlines_are_not_rasterised(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand of the longest ones would take six minutes."""
    monkeypatch.setattr('tests.adversaries.test_records_work.RECORDS', 20)
    drawn: list[Any] = []
    monkeypatch.setattr(RASTERISED, lambda polygons, *size: drawn.append(polygons))
    root = dataset(MASKS[name], tmp_path / 'set')
    data = json.loads((root / 'annotations' / 'train.json').read_text(encoding='utf-8'))
    for entry in data['annotations'][:10]:
        del entry['bbox']
    (root / 'annotations' / 'train.json').write_text(json.dumps(data), encoding='utf-8')
    said = check(root, tmp_path / 'run')
    assert not drawn
    if name == 'longest outlines':
        assert "10 × annotation without a usable 'bbox', which is its mask's" in said
        assert "20 × annotation without a positive 'area', which is its box's" in said
    else:
        assert 'more than 4000000' in said


@pytest.mark.slow
@pytest.mark.parametrize('name', MASKS)
def test_a_thousand_records(name: str, tmp_path: Path) -> None:
    root = dataset(MASKS[name], tmp_path / 'set')
    start = time.process_time()
    assert check(root, tmp_path / 'run')
    assert time.process_time() - start < 10


HOSTILE: dict[str, Callable[[dict[str, Any]], None]] = {
    'images that are missing': lambda data: data['images'].extend(
        {'id': 100 + i, 'file_name': f'{"x" * 200}{i}.png', 'width': 9, 'height': 9}
        for i in range(RECORDS)
    ),
    'one image a thousand times': lambda data: data['images'].extend([data['images'][0]] * RECORDS),
    'a thousand classes': lambda data: data['categories'].extend(
        {'id': 100 + i, 'name': f'{"class" * 20}{i}'} for i in range(RECORDS)
    ),
    'ids of text': lambda data: data['annotations'].extend(
        dict(data['annotations'][0], id='7' * 300 + str(i), image_id='a.png' * 60)
        for i in range(RECORDS)
    ),
    'huge values': lambda data: data['annotations'].extend(
        dict(data['annotations'][0], id=i, bbox=[10**300] * 4, area='9' * 10_000)
        for i in range(RECORDS)
    ),
    'the same box': lambda data: data['annotations'].extend(
        dict(data['annotations'][0], id=100 + i) for i in range(RECORDS)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', HOSTILE)
def test_a_thousand_hostile_records(name: str, tmp_path: Path) -> None:
    data = tiny_coco()
    HOSTILE[name](data)
    root = write_folder(tmp_path / 'set', train=data)
    start = time.process_time()
    assert check(root, tmp_path / 'run')
    assert time.process_time() - start < 10
