"""A thousand records, however they were made, take a bounded amount of work."""

from __future__ import annotations

import json
import random
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
