"""Write labelme's JSON files: one for each image (labelme/_label_file.py, format of 5.4)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.helpers.export_source import Coco, Part, decoded, names_of, objects_of, place_images

Parts = Mapping[str, Part]


def shapes_of(annotation: Coco, image: Coco, label: str, masks: bool) -> list[Coco]:
    """An object as a rectangle, as polygons of a group, or as a mask."""
    x, y, w, h = annotation['bbox']
    common: dict[str, Any] = {'label': label, 'group_id': None, 'flags': {}, 'description': ''}
    if not masks:
        points = [[x + w, y], [x, y + h]]  # drawn from the right upper corner
        return [common | {'shape_type': 'rectangle', 'points': points}]
    polygons = annotation['segmentation']
    if isinstance(polygons, list):
        group = {'group_id': annotation['id']} if len(polygons) > 1 else {}
        points = [np.reshape(polygon, (-1, 2)).tolist() for polygon in polygons]
        return [common | group | {'shape_type': 'polygon', 'points': each} for each in points]
    mask = decoded(annotation, image)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = (int(v) for v in (rows[0], rows[-1], columns[0], columns[-1]))
    part = mask[top : bottom + 1, left : right + 1].astype(np.uint8) * 255
    text = base64.b64encode(cv2.imencode('.png', part)[1].tobytes()).decode('ascii')
    points = [[left, top], [right, bottom]]
    return [common | {'shape_type': 'mask', 'points': points, 'mask': text}]


def write_json(part: Part, folder: Path, masks: bool, embed: bool = False) -> None:
    """Write a JSON file for each image."""
    folder.mkdir(parents=True, exist_ok=True)
    names, objects = names_of(part), objects_of(part)
    for image in part.coco['images']:
        shapes = [
            shape
            for annotation in objects[image['id']]
            for shape in shapes_of(annotation, image, names[annotation['category_id']], masks)
        ]
        data = None
        if embed:
            file = (part.images / image['file_name']).read_bytes()
            data = base64.b64encode(file).decode('ascii')
        content = {'version': '5.4.1', 'flags': {}, 'shapes': shapes}
        content |= {'imagePath': image['file_name'], 'imageData': data}
        content |= {'imageHeight': image['height'], 'imageWidth': image['width']}
        path = folder / f'{Path(image["file_name"]).stem}.json'
        path.write_text(json.dumps(content, indent=2), encoding='utf-8')


def labelme(root: Path, parts: Parts, masks: bool = True) -> Path:
    """https://github.com/wkentaro/labelme: beside the images, all in one folder."""
    for part in parts.values():
        write_json(part, root, masks)
        place_images(part, root)
    return root


def labelme_parts(root: Path, parts: Parts, masks: bool = True) -> Path:
    """The same in a folder for each part."""
    for name, part in parts.items():
        write_json(part, root / name, masks)
        place_images(part, root / name)
    return root


def labelme_embedded(root: Path, parts: Parts, masks: bool = True) -> Path:
    """With `store_data: true`, and without image files."""
    for part in parts.values():
        write_json(part, root, masks, embed=True)
    return root
