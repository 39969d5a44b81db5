"""`--skip-bad`: a COCO split without its broken records, and the exact list of those.

What `check_coco` calls an error of a single image or annotation is left out here, and of a part
that is trained on also what mmdet leaves out without a word. Errors of the whole file, its
categories' say, stay errors.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from effnet_dense.data.coco.check import UNUSED, CocoSplit, box_faults, picture_size
from effnet_dense.data.coco.file import (
    ANNOTATION_FIELDS,
    EVALUATION_FIELDS,
    IMAGE_FIELDS,
    MASK_FIELDS,
    Fields,
    Record,
    read_coco,
)
from effnet_dense.data.transforms.loading import LoadImageFromFile

DEFAULT_LIMIT = 0.05


@dataclass(frozen=True)
class SkipBad:
    """Leave out what is broken, up to a limit.

    Attributes:
        folder: Where the parts without it, and the lists of what was left out, are written.
        limit: The share of a part's images, and of its annotations, that may be broken; one
            always may.
    """

    folder: Path
    limit: float = DEFAULT_LIMIT

    def allowed(self, total: int) -> int:
        """How many of so many records may be broken."""
        return max(1, math.floor(self.limit * total + 1e-9))


@dataclass(frozen=True)
class LeftOut:
    """One record that is left out: a file's name or an annotation's id and place, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class CleanSplit:
    """A split whose annotation file has no broken records, and what is missing from it."""

    split: CocoSplit
    images: int
    left_out_images: tuple[LeftOut, ...]
    left_out_annotations: tuple[LeftOut, ...]

    def __str__(self) -> str:
        file = self.split.ann_file
        return (
            f'left out of {file.stem}: {len(self.left_out_images)} of {self.images} images and '
            f'{len(self.left_out_annotations)} annotations, see {_list_of(file)}'
        )


def clean_coco(
    name: str, split: CocoSplit, skip: SkipBad, masks: bool = False, evaluated: bool = True
) -> CleanSplit:
    """Write a split without its broken records, and skipped_<name>.json, the list of them.

    Args:
        name: Of the part, 'train' or 'val'.
        split: What may be broken. Of pictures to train on the headers are read here; those to be
            evaluated are decoded whole, for a metric must not depend on when one fails.
        skip: Where to write, and how much may be left out.
        masks: Every annotation needs a 'segmentation'.
        evaluated: The split is scored by pycocotools.

    Raises:
        FileNotFoundError: no annotation file.
        ValueError: not in COCO's format, or more is broken than the limit allows.
    """
    data = read_coco(split.ann_file)
    images, bad_images = _sound_images(data['images'], split.image_dir, evaluated)
    fields = ANNOTATION_FIELDS | (EVALUATION_FIELDS if evaluated else {})
    fields |= MASK_FIELDS if masks else {}
    annotations, bad = _sound_annotations(data, images, fields, evaluated)
    for what, left_out in (('images', bad_images), ('annotations', bad)):
        _hold_limit(split, what, left_out, len(data[what]), skip)
    clean = CocoSplit(skip.folder / f'{name}.json', split.image_dir)
    lists = dict(images=[asdict(b) for b in bad_images], annotations=[asdict(b) for b in bad])
    _write(clean.ann_file, {**data, 'images': images, 'annotations': annotations})
    _write(_list_of(clean.ann_file), lists, indent=1)
    return CleanSplit(clean, len(data['images']), tuple(bad_images), tuple(bad))


def _list_of(ann_file: Path) -> Path:
    return ann_file.with_name(f'skipped_{ann_file.name}')


def _hold_limit(
    split: CocoSplit, what: str, left_out: Sequence[LeftOut], total: int, skip: SkipBad
) -> None:
    allowed = skip.allowed(total)
    if len(left_out) > allowed:
        listed = '\n'.join(f'  {record.name}: {record.why}' for record in left_out)
        raise ValueError(
            f'{split.ann_file}: {len(left_out)} of {total} {what} are broken, --skip-bad leaves '
            f'out at most {allowed} ({skip.limit:.0%}):\n{listed}'
        )


def _sound_images(
    records: list[Record], folder: Path, decode: bool
) -> tuple[list[Record], list[LeftOut]]:
    sound: list[Record] = []
    left_out: list[LeftOut] = []
    ids: set[int] = set()
    for number, record in enumerate(records):
        why = _wrong_field(record, IMAGE_FIELDS)
        if not why and record['id'] in ids:
            why = f'image id {record["id"]} is used before'
        why = why or _bad_picture(record, folder, decode)
        if why:
            left_out.append(LeftOut(str(record.get('file_name', f'images[{number}]')), why))
            continue
        ids.add(record['id'])
        sound.append(record)
    return sound, left_out


def _bad_picture(record: Record, folder: Path, decode: bool) -> str:
    """Why a picture cannot be used, '' if it can; headers alone are read unless `decode`."""
    path = os.path.join(folder, record['file_name'])
    if not os.path.isfile(path):
        return f'there is no {path}'
    try:
        size = picture_size(path)
        if decode:
            LoadImageFromFile()({'img_path': path})
    except Image.DecompressionBombError:
        return ''
    except (OSError, SyntaxError, ValueError) as error:
        return str(error)
    expected = (record['width'], record['height'])
    return '' if size == expected else f'is {_by(size)}, the annotations say {_by(expected)}'


def _by(size: tuple[int, int]) -> str:
    return f'{size[0]} × {size[1]}'


def _sound_annotations(
    data: Record, images: list[Record], fields: Fields, evaluated: bool
) -> tuple[list[Record], list[LeftOut]]:
    """Annotations of images that are left out go with them, unlisted."""
    listed = {record.get('id') for record in data['images'] if isinstance(record.get('id'), int)}
    kept = {image['id'] for image in images}
    categories = {category.get('id') for category in data['categories']}
    whys: list[Callable[[Record], str]] = [
        lambda record: _wrong_field(record, fields),
        lambda record: _unless(record['image_id'] in listed, 'an unknown image'),
        lambda record: _unless(record['category_id'] in categories, 'an unknown category'),
    ]
    sound: list[Record] = []
    left_out: list[LeftOut] = []
    ids: set[int] = set()
    for number, record in enumerate(data['annotations']):
        why = next(filter(None, (check(record) for check in whys)), '')
        if not why and record['id'] in ids:
            why = 'its id is used before'
        if why:
            left_out.append(LeftOut(_name(record, number), why))
        elif record['image_id'] in kept:
            ids.add(record['id'])
            sound.append(record)
    if evaluated or not sound:  # pycocotools scores boxes that mmdet would not train on
        return sound, left_out
    faults = _faults(sound, images)
    more = [LeftOut(_name(record, 0), why) for record, why in zip(sound, faults, strict=True)]
    left_out += [record for record in more if record.why]
    return [record for record, why in zip(sound, faults, strict=True) if not why], left_out


def _faults(annotations: list[Record], images: list[Record]) -> list[str]:
    """Why mmdet would leave a box out of training, of each annotation; '' if it does not."""
    position = {image['id']: number for number, image in enumerate(images)}
    kinds = box_faults(
        annotations, images, np.array([position[a['image_id']] for a in annotations])
    )
    whys = [''] * len(annotations)
    for what, hit in kinds.items():
        if what.endswith(UNUSED):
            for number in np.flatnonzero(hit):
                whys[number] = what.removesuffix(UNUSED)
    return whys


def _wrong_field(record: Record, fields: Fields) -> str:
    for field, (is_right, expected) in fields.items():
        if not is_right(record.get(field)):
            return f'{field!r} is not {expected}: {record.get(field)!r:.60}'
    return ''


def _unless(holds: bool, what: str) -> str:
    return '' if holds else f'of {what}'


def _name(record: Record, number: int) -> str:
    if type(record.get('id')) is not int:
        return f'annotations[{number}]'
    return f'id {record["id"]} (image {record.get("image_id")})'


def _write(path: Path, content: object, indent: int | None = None) -> None:
    """In one step: several processes of a training may write it at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f'{path.name}.{os.getpid()}.part')
    beside.write_text(json.dumps(content, indent=indent, ensure_ascii=False), encoding='utf-8')
    os.replace(beside, path)
