"""A handmade COCO dataset of two images, small enough to be changed by each test."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Coco = dict[str, Any]

# Ids with gaps and out of order, as tools write them; labels follow the order of the list.
CATEGORIES = [{'id': 90, 'name': 'cat'}, {'id': 7, 'name': 'ant'}, {'id': 30, 'name': 'bee'}]


def box(id_: int, image: int, category: int, bbox: list[float]) -> Coco:
    """An annotation whose polygon is its box."""
    x, y, w, h = bbox
    return {
        'id': id_,
        'image_id': image,
        'category_id': category,
        'bbox': bbox,
        'area': w * h,
        'iscrowd': 0,
        'segmentation': [[x, y, x + w, y, x + w, y + h, x, y + h]],
    }


def tiny_coco() -> Coco:
    """Two images of 64 × 48 and 80 × 60, three classes, four boxes, nothing wrong."""
    return {
        'images': [
            {'id': 12, 'file_name': 'a.png', 'width': 64, 'height': 48},
            {'id': 5, 'file_name': 'b.png', 'width': 80, 'height': 60},
        ],
        'annotations': [
            box(1, 12, 90, [4, 4, 20, 20]),
            box(2, 12, 7, [30, 10, 24, 30]),
            box(3, 5, 30, [0, 0, 40, 60]),
            box(4, 5, 7, [44.5, 8, 30, 30]),
        ],
        'categories': copy.deepcopy(CATEGORIES),
    }


def write_json(content: object, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding='utf-8')
    return path


def write_images(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, height, width in (('a.png', 48, 64), ('b.png', 60, 80)):
        cv2.imwrite(str(folder / name), np.full((height, width, 3), 90, np.uint8))
    return folder


def write_folder(root: Path, train: object = None, val: object = None) -> Path:
    """Write a dataset; annotations are `tiny_coco()` by default."""
    for name, content in (('train', train), ('val', val)):
        write_json(content or tiny_coco(), root / 'annotations' / f'{name}.json')
        write_images(root / 'images' / name)
    return root
