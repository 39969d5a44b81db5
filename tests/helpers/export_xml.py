"""Write XML datasets, Pascal VOC's and CVAT's, as annotation tools do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import numpy as np

from tests.helpers.export_source import Coco, Part, decoded, names_of, objects_of, place_images

Parts = Mapping[str, Part]
Corners = Callable[[list[float]], list[Any]]


def distances(box: list[float]) -> list[float]:
    """Corners as distances from the image's corner, as datumaro's 'dm-zero-based'."""
    x, y, w, h = box
    return [x, y, x + w, y + h]


def pixels_from_1(box: list[float]) -> list[int]:
    """Corners as the first and the last pixel, counted from 1, as in the VOC devkit."""
    x, y, w, h = (round(value) for value in box)
    return [x + 1, y + 1, x + w, y + h]


def _child(parent: Element, tag: str, text: object = None, **attributes: str) -> Element:
    element = SubElement(parent, tag, attributes)
    if text is not None:
        element.text = str(text)
    return element


def _save(root: Element, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    indent(root)
    ElementTree(root).write(path, encoding='utf-8', xml_declaration=True)


def voc_xml(
    part: Part, folder: Path, corners: Corners, database: str = 'Unknown', place: str = ''
) -> None:
    """Write an XML file for each image."""
    names, objects = names_of(part), objects_of(part)
    for image in part.coco['images']:
        root = Element('annotation')
        _child(root, 'folder', place)
        _child(root, 'filename', image['file_name'])
        _child(_child(root, 'source'), 'database', database)
        size = _child(root, 'size')
        for tag, value in (('width', image['width']), ('height', image['height']), ('depth', 3)):
            _child(size, tag, value)
        _child(root, 'segmented', 0)
        for annotation in objects[image['id']]:
            entry = _child(root, 'object')
            _child(entry, 'name', names[annotation['category_id']])
            _child(entry, 'difficult', annotation['iscrowd'])
            box = _child(entry, 'bndbox')
            for tag, value in zip(
                ('xmin', 'ymin', 'xmax', 'ymax'), corners(annotation['bbox']), strict=True
            ):
                _child(box, tag, value)
        _save(root, folder / f'{Path(image["file_name"]).stem}.xml')


def _lists(root: Path, parts: Parts) -> None:
    folder = root / 'ImageSets/Main'
    folder.mkdir(parents=True)
    for name, part in parts.items():
        stems = [Path(image['file_name']).stem for image in part.coco['images']]
        (folder / f'{name}.txt').write_text('\n'.join(stems), encoding='utf-8')


def voc_devkit(root: Path, parts: Parts, masks: bool = False) -> Path:
    """http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/: pixels counted from 1."""
    _lists(root, parts)
    for name, part in parts.items():
        database = 'The VOC2007 Database'
        voc_xml(part, root / 'Annotations', pixels_from_1, database, 'VOC2007')
        place_images(part, root / 'JPEGImages')
        listed = root / f'ImageSets/Main/cat_{name}.txt'  # of one class, with -1, 0 or 1
        listed.write_text('x -1\n', encoding='utf-8')
    return root


def voc_cvat(root: Path, parts: Parts, masks: bool = False) -> Path:
    """https://docs.cvat.ai/docs/dataset_management/formats/format-voc/: datumaro's decimals."""
    _lists(root, parts)
    for part in parts.values():
        voc_xml(part, root / 'Annotations', distances)
        place_images(part, root / 'JPEGImages')
    (root / 'labelmap.txt').write_text('# label:color_rgb:parts:actions\n', encoding='utf-8')
    return root


def voc_labelimg(root: Path, parts: Parts, masks: bool = False) -> Path:
    """https://github.com/HumanSignal/labelImg, libs/labelFile.py: beside the images.

    The tool writes 1 for 0; so that boxes can be compared, this does not.
    """
    for part in parts.values():
        voc_xml(part, root, lambda box: [int(value) for value in distances(box)])
        place_images(part, root)
    return root


def voc_roboflow(root: Path, parts: Parts, masks: bool = False) -> Path:
    """https://roboflow.com/formats/pascal-voc-xml: folders for parts, beside the images."""
    for name, part in parts.items():
        folder = root / {'val': 'valid'}.get(name, name)
        voc_xml(part, folder, lambda box: [round(v) for v in distances(box)], 'roboflow.com')
        place_images(part, folder)
    return root


def _cvat_meta(root: Element, part: Part, level: str) -> None:
    _child(root, 'version', '1.1')
    labels = _child(_child(_child(root, 'meta'), level), 'labels')
    for category in part.coco['categories']:
        label = _child(labels, 'label')
        _child(label, 'name', category['name'])
        _child(label, 'type', 'any')


def _cvat_images(root: Element, part: Part, masks: bool, first: int, **more: str) -> None:
    names, objects = names_of(part), objects_of(part)
    for i, image in enumerate(part.coco['images'], start=first):
        sides = {'width': str(image['width']), 'height': str(image['height'])}
        element = _child(root, 'image', id=str(i), name=image['file_name'], **more, **sides)
        for number, annotation in enumerate(objects[image['id']], start=1):
            label = names[annotation['category_id']]
            for tag, attributes in _cvat_shapes(annotation, image, masks, number):
                values = {'label': label, 'source': 'manual', 'occluded': '0'} | attributes
                _child(element, tag, **values, z_order='0')


def _cvat_shapes(
    annotation: Coco, image: Coco, masks: bool, number: int
) -> list[tuple[str, dict[str, str]]]:
    """Return tags and attributes: a box, a polygon or several of a group, or a mask."""
    if not masks:
        values = distances(annotation['bbox'])
        return [('box', {k: f'{v:.2f}' for k, v in zip(_CORNERS, values, strict=True)})]
    polygons = annotation['segmentation']
    if isinstance(polygons, list):
        group = {'group_id': str(number)} if len(polygons) > 1 else {}
        pairs = [list(zip(polygon[::2], polygon[1::2], strict=True)) for polygon in polygons]
        texts = [';'.join(f'{x:.2f},{y:.2f}' for x, y in points) for points in pairs]
        return [('polygon', {'points': text} | group) for text in texts]
    mask = decoded(annotation, image)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    flat = np.concatenate([[False], part.ravel(), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff([0, *edges, part.size]) if edges[-1] < part.size else np.diff([0, *edges])
    place = {'left': columns[0], 'top': rows[0], 'width': part.shape[1], 'height': part.shape[0]}
    runs = ', '.join(map(str, counts.tolist()))
    return [('mask', {'rle': runs} | {key: str(value) for key, value in place.items()})]


_CORNERS = ('xtl', 'ytl', 'xbr', 'ybr')


def cvat_task(root: Path, parts: Parts, masks: bool = True) -> Path:
    """https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/, of a task."""
    tree = Element('annotations')
    _cvat_meta(tree, next(iter(parts.values())), 'task')
    first = 0
    for part in parts.values():
        _cvat_images(tree, part, masks, first)
        first += len(part.coco['images'])
        place_images(part, root / 'images')
    _save(tree, root / 'annotations.xml')
    return root


def cvat_project(root: Path, parts: Parts, masks: bool = True) -> Path:
    """The same of a project with subsets."""
    tree = Element('annotations')
    _cvat_meta(tree, next(iter(parts.values())), 'project')
    for i, (name, part) in enumerate(parts.items()):
        subset = {'train': 'Train', 'val': 'Validation'}.get(name, name)
        _cvat_images(tree, part, masks, 0, subset=subset, task_id=str(i))
        place_images(part, root / 'images' / subset)
    _save(tree, root / 'annotations.xml')
    return root
