"""Four images of known objects and detections, in COCO's format."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

CAT_IDS = (7, 3)  # labels 0 and 1
CLASSES = ('cat', 'dog')
SIZE = 100


def coco(images: int, annotations: list[dict[str, Any]]) -> COCO:
    """Ground truth of square images with ids 11, 12, …"""
    api = COCO()
    api.dataset = dict(
        images=[dict(id=11 + i, width=SIZE, height=SIZE) for i in range(images)],
        categories=[dict(id=cat_id, name=name) for cat_id, name in zip(CAT_IDS, CLASSES)],  # noqa: B905
        annotations=[dict(id=i + 1, iscrowd=0, **each) for i, each in enumerate(annotations)],
    )
    api.createIndex()
    return api


def thing(image: int, label: int, x: int, y: int, w: int, h: int, **more: Any) -> dict[str, Any]:
    """An object of the ground truth: a full rectangle."""
    polygon = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    found = dict(image_id=11 + image, category_id=CAT_IDS[label], bbox=[x, y, w, h], area=w * h)
    return {**found, 'segmentation': polygon, **more}


def result(image: int, *rows: tuple[int, float, int, int, int, int], path: str = '') -> Any:
    """Return what a collector keeps of one image: rows of label, score, x, y, width, height."""
    table = np.array(rows, dtype=np.float32).reshape(-1, 6)
    x, y, w, h = table[:, 2:].T
    masks = []
    for left, top, width, height in table[:, 2:].astype(int):
        mask = np.zeros((SIZE, SIZE), dtype=np.uint8, order='F')
        mask[top : top + height, left : left + width] = 1
        masks.append(coco_mask.encode(mask))
    return dict(
        img_id=11 + image,
        path=path,
        boxes=np.stack([x, y, x + w, y + h], 1),
        scores=table[:, 1],
        mask_scores=table[:, 1],
        labels=table[:, 0].astype(np.int32),
        masks=masks,
    )


def truth() -> COCO:
    """A cat and a dog in the first image, a dog in the second, nothing in the third and fourth."""
    return coco(
        4, [thing(0, 0, 0, 0, 40, 40), thing(0, 1, 50, 0, 40, 40), thing(1, 1, 0, 0, 50, 50)]
    )


def results(path: str = '') -> list[Any]:
    """The cat exactly, the dog as a cat; the other dog twice; nothing; a cat.

    The second image's surer detection has IoU 0.6 with its dog, the other one 1.
    """
    return [
        result(0, (0, 0.9, 0, 0, 40, 40), (0, 0.8, 50, 0, 40, 40), path=path),
        result(1, (1, 0.6, 0, 0, 50, 30), (1, 0.2, 0, 0, 50, 50), path=path),
        result(2, path=path),
        result(3, (0, 0.5, 10, 10, 20, 20), path=path),
    ]
