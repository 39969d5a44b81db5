"""Write COCO JSON datasets as COCO and annotation tools do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.helpers.export_source import Coco, Part, merged, place_images

Parts = Mapping[str, Part]


def _write(coco: Coco, path: Path, masks: bool, **more: object) -> None:
    """Write a JSON file; without masks, 'segmentation' is an empty list, as most tools have it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    annotations = [
        annotation | ({} if masks else {'segmentation': []}) | more
        for annotation in coco['annotations']
    ]
    content = {'info': {}, 'licenses': []} | coco | {'annotations': annotations}
    path.write_text(json.dumps(content), encoding='utf-8')


def coco_2017(root: Path, parts: Parts, masks: bool = True) -> Path:
    """COCO's own archives, unpacked into one folder; https://cocodataset.org/#download."""
    for name, part in parts.items():
        _write(part.coco, root / f'annotations/instances_{name}2017.json', masks)
        place_images(part, root / f'{name}2017')
    return root


def coco_2014(root: Path, parts: Parts, masks: bool = True) -> Path:
    """COCO of 2014, with images/ as in ultralytics' folders, and the files of other tasks."""
    for name, part in parts.items():
        _write(part.coco, root / f'annotations/instances_{name}2014.json', masks)
        _write(part.coco, root / f'annotations/person_keypoints_{name}2014.json', masks)
        _write(part.coco, root / f'annotations/captions_{name}2014.json', masks)
        place_images(part, root / f'images/{name}2014')
    return root


def coco_short(root: Path, parts: Parts, masks: bool = True) -> Path:
    """The layout of this project's documentation, docs/own-data.md."""
    for name, part in parts.items():
        _write(part.coco, root / f'annotations/{name}.json', masks)
        place_images(part, root / 'images')
    return root


def coco_at_root(root: Path, parts: Parts, masks: bool = True) -> Path:
    """Files of any name beside images/; 'validation' is val."""
    for name, part in parts.items():
        long = {'val': 'validation'}.get(name, name)
        _write(part.coco, root / f'fruit_{long}_v2.json', masks)
        place_images(part, root / 'images')
    return root


def coco_one_file(root: Path, parts: Parts, masks: bool = True) -> Path:
    """One file of any name beside the images."""
    _write(merged(parts), root / 'my fruit.json', masks)
    for part in parts.values():
        place_images(part, root)
    return root


def roboflow(root: Path, parts: Parts, masks: bool = True) -> Path:
    """https://roboflow.com/formats/coco-json: an unused root category, and ids from 0."""
    for name, part in parts.items():
        folder = root / {'val': 'valid'}.get(name, name)
        coco = part.coco
        above = {'id': 0, 'name': 'objects', 'supercategory': 'none'}
        below = [category | {'supercategory': 'objects'} for category in coco['categories']]
        images = [image | {'license': 1, 'id': image['id'] - 1} for image in coco['images']]
        annotations = [
            annotation | {'id': i, 'image_id': annotation['image_id'] - 1}
            for i, annotation in enumerate(coco['annotations'])
        ]
        content = {'images': images, 'annotations': annotations, 'categories': [above, *below]}
        _write(content, folder / '_annotations.coco.json', masks)
        place_images(part, folder)
    (root / 'README.roboflow.txt').write_text('fruit\n', encoding='utf-8')
    return root


def cvat_subsets(root: Path, parts: Parts, masks: bool = True) -> Path:
    """https://docs.cvat.ai/docs/dataset_management/formats/format-coco/, of a project."""
    for name, part in parts.items():
        subset = {'train': 'Train', 'val': 'Validation'}.get(name, name)
        _write(
            part.coco,
            root / f'annotations/instances_{subset}.json',
            masks,
            attributes={'occluded': False},
        )
        place_images(part, root / 'images' / subset)
    return root


def cvat_task(root: Path, parts: Parts, masks: bool = True) -> Path:
    """The same of a task without subsets."""
    content = merged(parts)
    _write(content, root / 'annotations/instances_default.json', masks, attributes={})
    for part in parts.values():
        place_images(part, root / 'images/default')
    return root


def label_studio(root: Path, parts: Parts, masks: bool = True) -> Path:
    r"""https://labelstud.io/guide/export#COCO, under Windows: names like images\\/a.jpg."""
    content = merged(parts)
    for image in content['images']:
        image['file_name'] = 'images\\/' + image['file_name']
    for i, annotation in enumerate(content['annotations']):
        annotation['id'] = i
    _write(content, root / 'result.json', masks, ignore=0)
    for part in parts.values():
        place_images(part, root / 'images')
    return root


def fiftyone(root: Path, parts: Parts, masks: bool = True) -> Path:
    """https://docs.voxel51.com/user_guide/export_datasets.html#cocodetectiondataset."""
    for name, part in parts.items():
        _write(part.coco, root / name / 'labels.json', masks)
        place_images(part, root / name / 'data')
    return root


def fiftyone_one_part(root: Path, parts: Parts, masks: bool = True) -> Path:
    """The same of a dataset without splits."""
    _write(merged(parts), root / 'labels.json', masks)
    for part in parts.values():
        place_images(part, root / 'data')
    return root
