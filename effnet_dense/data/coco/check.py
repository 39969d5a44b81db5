"""What is wrong with a COCO JSON file and its pictures, found before a training starts.

Letters: K annotations, boxes are COCO's [x, y, width, height] in pixels of the image.

mmdet and pycocotools drop many faulty records without a word, and fail on others only when they
reach them, at the end of the first epoch for what evaluation alone reads. A fault that would
stop a run later or make it learn something wrong is an error here, the rest is a warning.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from effnet_dense.data.coco.file import (
    ANNOTATION_FIELDS,
    CATEGORY_FIELDS,
    EVALUATION_FIELDS,
    IMAGE_FIELDS,
    MASK_FIELDS,
    Finding,
    Record,
    duplicates,
    list_finding,
    read_coco,
    sound_records,
)

HEADERS = 256
"""Pictures of a split whose header is compared with the JSON file; all of a smaller split."""

TOLERANCE = 1.0
"""Pixels by which a box may pass the image's edge: rounding in annotation tools."""

EXIF_ORIENTATION = 0x0112

UNUSED = ', left out of training'


@dataclass(frozen=True)
class CocoSplit:
    """Where one part of a data set lies: its annotations and the folder of its pictures."""

    ann_file: Path
    image_dir: Path


@dataclass(frozen=True)
class CocoReport:
    """What a split holds, and the faults that `check_coco` found in it."""

    split: CocoSplit
    images: int
    annotations: int
    classes: tuple[str, ...]
    file_names: frozenset[str]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The faults that must not reach a training."""
        return tuple(f for f in self.findings if f.severity == 'error')

    def __str__(self) -> str:
        head = (
            f'{self.split.ann_file}: {self.images} images, {self.annotations} annotations, '
            f'{len(self.classes)} classes'
        )
        return '\n'.join([head, *(f'  {finding}' for finding in self.findings)])


def check_coco(split: CocoSplit, masks: bool = False, evaluated: bool = True) -> CocoReport:
    """Look for everything in a split that would break or bend a training or an evaluation.

    Args:
        split: the annotation file and the folder of its pictures.
        masks: every annotation needs a 'segmentation'.
        evaluated: the split is scored by pycocotools, which needs 'iscrowd' and ids above 0.

    Raises:
        FileNotFoundError: no annotation file, or no folder of pictures.
        ValueError: the file is not in COCO's format at all (see `read_coco`).
    """
    data = read_coco(split.ann_file)
    if not split.image_dir.is_dir():
        raise FileNotFoundError(f'expected a folder of pictures at {split.image_dir}')
    images, findings = sound_records(data['images'], 'images', IMAGE_FIELDS)
    findings += _check_images(images) + _check_files(images, split.image_dir)
    categories, more = sound_records(data['categories'], 'categories', CATEGORY_FIELDS)
    findings += more + _check_categories(categories)
    fields = ANNOTATION_FIELDS | (EVALUATION_FIELDS if evaluated else {})
    fields |= MASK_FIELDS if masks else {}
    annotations, more = sound_records(data['annotations'], 'annotations', fields)
    findings += more + _check_annotations(annotations, images, categories)
    if evaluated:
        findings += list_finding(
            'warning',
            'annotation with id 0, which pycocotools can never count as found',
            [_name(a) for a in annotations if a['id'] == 0],
        )
    return CocoReport(
        split=split,
        images=len(data['images']),
        annotations=len(data['annotations']),
        classes=tuple(str(category['name']) for category in categories),
        file_names=frozenset(image['file_name'] for image in images),
        findings=tuple(
            sorted(findings, key=lambda f: ('error', 'warning', 'note').index(f.severity))
        ),
    )


def _check_images(images: list[Record]) -> list[Finding]:
    return list_finding(
        'error', 'image id used twice', duplicates(i['id'] for i in images)
    ) + list_finding(
        'warning',
        'picture listed under several image ids',
        duplicates(image['file_name'] for image in images),
    )


def _check_categories(categories: list[Record]) -> list[Finding]:
    if not categories:
        return [Finding('error', "no category at all in 'categories'", 1)]
    return list_finding(
        'error', 'category id used twice', duplicates(c['id'] for c in categories)
    ) + list_finding('error', 'category name used twice', duplicates(c['name'] for c in categories))


def _check_files(images: list[Record], image_dir: Path) -> list[Finding]:
    """Are all pictures there? One listing per folder: a `stat` per picture is slow on disks."""
    listed: dict[str, set[str]] = {}
    missing: list[str] = []
    present: list[Record] = []
    for image in images:
        folder, name = os.path.split(os.path.join(image_dir, image['file_name']))
        if folder not in listed:
            listed[folder] = _file_names(folder)
        if name in listed[folder]:
            present.append(image)
        else:
            missing.append(image['file_name'])
    return list_finding(
        'error', f'picture missing in {image_dir}', missing, missing_files=True
    ) + _check_headers(present, image_dir)


def _file_names(folder: str) -> set[str]:
    if not os.path.isdir(folder):
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}


def _check_headers(images: list[Record], image_dir: Path) -> list[Finding]:
    """Compare the size in a file's header with the JSON's, for `HEADERS` evenly spread pictures."""
    unreadable: list[str] = []
    different: list[str] = []
    for image in images[:: max(1, len(images) // HEADERS)]:
        name, expected = image['file_name'], (image['width'], image['height'])
        try:
            size = picture_size(os.path.join(image_dir, name))
        except Image.DecompressionBombError:
            continue  # refused by its size alone, and OpenCV may well load it
        except (OSError, SyntaxError, ValueError) as error:
            unreadable.append(f'{name} ({error})')
            continue
        if size != expected:
            different.append(f'{name} is {size[0]} × {size[1]}, not {expected[0]} × {expected[1]}')
    return list_finding('error', 'picture that cannot be read', unreadable) + list_finding(
        'error', 'picture of another size than the JSON file says', different
    )


def picture_size(path: str) -> tuple[int, int]:
    """Width and height as OpenCV loads the picture: turned as its EXIF orientation asks."""
    with Image.open(path) as picture:
        turned = picture.getexif().get(EXIF_ORIENTATION) in (5, 6, 7, 8)
        width, height = picture.size
    return (height, width) if turned else (width, height)


def _name(annotation: Record) -> str:
    return f'id {annotation["id"]} (image {annotation["image_id"]})'


def _check_annotations(
    annotations: list[Record], images: list[Record], categories: list[Record]
) -> list[Finding]:
    if not annotations:
        return [Finding('error', 'no annotation at all that can be used', 1)]
    known = {category['id'] for category in categories}
    position = {image['id']: i for i, image in enumerate(images)}
    image_of = np.array([position.get(a['image_id'], -1) for a in annotations])
    bare = np.setdiff1d(np.arange(len(images)), image_of)
    return (
        list_finding('error', 'annotation id used twice', duplicates(a['id'] for a in annotations))
        + list_finding(
            'error',
            'annotation of an unknown category',
            [
                f'{_name(a)}: {a["category_id"]}'
                for a in annotations
                if a['category_id'] not in known
            ],
        )
        + list_finding(
            'warning',
            'annotation of an unknown image, left out',
            [_name(annotations[i]) for i in np.flatnonzero(image_of < 0)],
        )
        + list_finding('note', 'image without annotations', [images[i]['file_name'] for i in bare])
        + _check_boxes(annotations, images, image_of)
    )


def _check_boxes(
    annotations: list[Record], images: list[Record], image_of: np.ndarray
) -> list[Finding]:
    """Compare the boxes with their images; arguments: see `box_faults`."""
    kinds = box_faults(annotations, images, image_of)
    findings = [
        finding
        for what, hit in kinds.items()
        for finding in list_finding(
            'warning',
            what,
            [f'{_name(annotations[i])} {annotations[i]["bbox"]}' for i in np.flatnonzero(hit)],
        )
    ]
    unused = [hit for what, hit in kinds.items() if what.endswith(UNUSED)]
    if np.any([*unused, image_of < 0], axis=0).all():
        findings.append(Finding('error', 'no annotation at all that can be used', 1))
    return findings


def box_faults(
    annotations: list[Record], images: list[Record], image_of: np.ndarray
) -> dict[str, np.ndarray]:
    """What is wrong with boxes → which of them (K,); what mmdet does not train on ends so.

    Args:
        annotations: K, with sound fields.
        images: What they are on.
        image_of: (K,), an index into `images`, −1 for none.
    """
    size = np.array([(i['width'], i['height']) for i in images] + [(np.inf, np.inf)])[image_of]
    boxes = np.array([a['bbox'] for a in annotations], dtype=np.float64)
    area = np.array([a['area'] for a in annotations], dtype=np.float64)
    start, extent = boxes[:, :2], boxes[:, 2:]
    empty = (extent <= 0).any(1)
    thin = ~empty & (extent < 1).any(1)
    outside = ~empty & ((start >= size) | (start + extent <= 0)).any(1)
    across = (start < -TOLERANCE) | (start + extent > size + TOLERANCE)
    partly = ~empty & ~outside & across.any(1)
    no_area = ~(empty | thin | outside) & ~(area > 0)
    return {
        f'empty box (width or height ≤ 0){UNUSED}': empty,
        f'box thinner than a pixel{UNUSED}': thin,
        f'box wholly outside its image{UNUSED}': outside,
        'box partly outside its image, cut at the edge': partly,
        f"annotation whose 'area' is not positive{UNUSED}": no_area,
    }
