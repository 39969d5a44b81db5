"""Data whose ground truth is what a model predicts, so that its metrics are high."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from effnet_dense.inference import Predictor

SIDE = 64


def write_images(folder: Path, count: int = 3) -> list[Path]:
    """Write images of coloured noise, in blocks."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    paths = [folder / f'{number}.png' for number in range(count)]
    for path in paths:
        blocks = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(path), blocks.repeat(SIDE // 8, 0).repeat(SIDE // 8, 1))
    return paths


def write_coco(
    root: Path, predictor: Predictor, order: Sequence[str], kept: Sequence[str] = ()
) -> Path:
    """Write val images with a model's detections as objects.

    Args:
        root: The folder.
        predictor: The model.
        order: Categories in the file's order, with ids that are not in that order.
        kept: The classes of which objects are written; by default all of `order`.
    """
    names = predictor.dataset_meta['classes']
    ids = {name: 7 + 3 * names.index(name) for name in names}
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for number, path in enumerate(write_images(root / 'images' / 'val'), 1):
        images.append(dict(id=number, file_name=path.name, width=SIDE, height=SIDE))
        found = predictor(path).pred_instances
        masks = found.get('masks')
        for row, (box, label) in enumerate(zip(found.bboxes, found.labels, strict=True)):
            name = names[int(label)]
            x1, y1, x2, y2 = (float(v) for v in box)
            if name not in (kept or order) or x2 - x1 < 2 or y2 - y1 < 2:
                continue
            one = dict(id=len(objects) + 1, image_id=number, category_id=ids[name], iscrowd=0)
            one |= dict(bbox=[x1, y1, x2 - x1, y2 - y1], area=(x2 - x1) * (y2 - y1))
            one['segmentation'] = [[x1, y1, x2, y1, x2, y2, x1, y2]]
            if masks is not None:
                rle = coco_mask.encode(np.asfortranarray(masks[row].numpy().astype(np.uint8)))
                one['segmentation'] = {**rle, 'counts': rle['counts'].decode()}
            objects.append(one)
    categories = [dict(id=ids[name], name=name) for name in order]
    content = dict(images=images, annotations=objects, categories=categories)
    (root / 'annotations').mkdir()
    (root / 'annotations' / 'val.json').write_text(json.dumps(content), encoding='utf-8')
    return root


def write_label_maps(root: Path, predictor: Predictor, order: Sequence[str]) -> Path:
    """Write val images with a model's label maps; its other classes become 255."""
    names = predictor.dataset_meta['classes']
    table = np.full(256, 255, np.uint8)
    for label, name in enumerate(names):
        table[label] = order.index(name) if name in order else 255
    (root / 'labels' / 'val').mkdir(parents=True)
    for path in write_images(root / 'images' / 'val'):
        found = predictor(path).pred_sem_seg.data.squeeze().numpy()
        # A row of the first class is wrong, so that its metrics are not 100 %.
        values = table[found.astype(np.uint8)]
        values[:4] = 0
        Image.fromarray(values).save(root / 'labels' / 'val' / path.name)
    (root / 'classes.json').write_text(
        json.dumps({'classes': list(order), 'ignore': 255}), encoding='utf-8'
    )
    return root
