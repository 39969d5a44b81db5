"""A small dataset of boxes and masks to be written in many formats, and what writers share."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

Coco = dict[str, Any]

CLASSES = ('cat', 'ant', 'big bee')
SIZES = ((64, 32), (32, 64), (64, 64))
"""Width and height of the sample's images in turn; the shares of YOLO are exact in them."""


@dataclass(frozen=True)
class Part:
    """One part of a dataset: COCO's records, and the folder of its images."""

    coco: Coco
    images: Path


def sample(
    folder: Path, parts: tuple[str, ...] = ('train', 'val'), runs: bool = False
) -> dict[str, Part]:
    """Write three images for each part, the last without objects.

    Args:
        folder: Where the images are written, in a folder for each part.
        parts: Their names.
        runs: Masks are run lengths in place of polygons.
    """
    return {part: _sample_part(folder / part, part, i, runs) for i, part in enumerate(parts)}


def _sample_part(folder: Path, part: str, seed: int, runs: bool) -> Part:
    folder.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    images, annotations = [], []
    for i, (width, height) in enumerate(SIZES):
        name = f'{part} {i + 9}.png'  # a space, and 9 before 10
        cv2.imwrite(str(folder / name), draw.integers(0, 99, (height, width, 3), dtype=np.uint8))
        images.append({'id': i + 1, 'file_name': name, 'width': width, 'height': height})
    for number, (image, category) in enumerate([(1, 1), (1, 2), (2, 3), (2, 2), (2, 1)]):
        x, y = (int(value) for value in draw.integers(0, 12, 2))
        w, h = (int(value) for value in draw.integers(6, 18, 2))
        polygon = [x, y, x + w, y, x + w, y + h, x + w // 2, y + h // 2, x, y + h]
        annotation = {'id': number + 1, 'image_id': image, 'category_id': category}
        annotation |= {'bbox': [x, y, w, h], 'iscrowd': 0, 'segmentation': [polygon]}
        mask = decoded(annotation, images[image - 1])
        annotation['area'] = int(mask.sum())
        if runs:
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            corners = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
            x, y, right, bottom = (int(value) for value in corners)
            annotation['bbox'] = [x, y, right - x, bottom - y]
            annotation['segmentation'] = encoded(mask)
        annotations.append(annotation)
    categories = [{'id': i + 1, 'name': name} for i, name in enumerate(CLASSES)]
    return Part({'images': images, 'annotations': annotations, 'categories': categories}, folder)


def merged(parts: Mapping[str, Part]) -> Coco:
    """Return all parts' records as one file's."""
    images, annotations = [], []
    for part in parts.values():
        shift, count = len(images) + 1, len(annotations) + 1
        ids = {image['id']: shift + i for i, image in enumerate(part.coco['images'])}
        images += [image | {'id': ids[image['id']]} for image in part.coco['images']]
        annotations += [
            annotation | {'id': count + i, 'image_id': ids[annotation['image_id']]}
            for i, annotation in enumerate(part.coco['annotations'])
        ]
    categories = next(iter(parts.values())).coco['categories']
    return copy.deepcopy({'images': images, 'annotations': annotations, 'categories': categories})


def place_images(part: Part, folder: Path) -> Path:
    """Copy a part's images into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for image in part.coco['images']:
        target = folder / Path(image['file_name']).name
        shutil.copyfile(part.images / image['file_name'], target)
    return folder


def decoded(annotation: Coco, image: Coco) -> NDArray[np.bool_]:
    """Rasterise an annotation's mask, shape (H, W)."""
    segmentation, size = annotation['segmentation'], (image['height'], image['width'])
    if isinstance(segmentation, list):
        runs = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
    elif isinstance(segmentation['counts'], list):
        runs = coco_mask.frPyObjects(segmentation, *size)
    else:
        runs = segmentation
    return coco_mask.decode(runs).astype(bool)


def encoded(mask: NDArray[np.bool_]) -> Coco:
    """Encode a mask (H, W) as COCO's uncompressed run lengths, in columns, zeros first."""
    flat = np.concatenate([[False], mask.T.ravel(), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff([0, *edges, mask.size]).tolist()
    return {'size': [int(side) for side in mask.shape], 'counts': counts}


def polygons_of(annotation: Coco, image: Coco) -> list[list[float]]:
    """Return an annotation's polygons, or the outlines of its run lengths."""
    if isinstance(annotation['segmentation'], list):
        return annotation['segmentation']
    mask = decoded(annotation, image).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [outline.ravel().tolist() for outline in outlines if len(outline) > 2]


def objects_of(part: Part) -> dict[int, list[Coco]]:
    """Group a part's annotations by image id; images without objects have an empty list."""
    found: dict[int, list[Coco]] = {image['id']: [] for image in part.coco['images']}
    for annotation in part.coco['annotations']:
        found[annotation['image_id']].append(annotation)
    return found


def names_of(part: Part) -> dict[int, str]:
    """Category id → name."""
    return {category['id']: category['name'] for category in part.coco['categories']}
