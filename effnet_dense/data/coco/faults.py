"""Walk the records of a COCO file and yield their faults, for checking and for cleaning.

Shapes: K annotations; boxes are COCO's [x, y, width, height] in pixels of the image.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from effnet_dense.data import resizing
from effnet_dense.data.coco.annotation_file import Record
from effnet_dense.data.coco.fields import (
    CATEGORY_FIELDS,
    IMAGE_FIELDS,
    Fields,
    all_valid,
    annotation_fields,
)
from effnet_dense.data.columns import stack_boxes
from effnet_dense.data.findings import Severity
from effnet_dense.data.image_files import (
    OTHER_TURNS,
    UNREADABLE,
    exif_orientation,
    image_size,
    size_name,
)
from effnet_dense.data.masks import CHUNK, mask_faults
from effnet_dense.data.record_sizes import swap_hint
from effnet_dense.data.transforms.loading import LoadImageFromFile
from effnet_dense.utils.progress import track
from effnet_dense.utils.regular_files import disk_path

TOLERANCE = 1.0
"""Pixels by which a box may exceed the image's edge: rounding in annotation tools."""

HEADERS = 256
"""Minimum number of headers read for 'some headers'; a smaller split is read completely."""

Reading = Literal['some headers', 'headers', 'pixels']
"""What is read of image files: evenly spaced headers, all headers, or all headers and pixels."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault, and whether a record that has it must be dropped."""

    severity: Severity
    what: str
    dropped: Literal['always', 'in training', 'never'] = 'never'
    missing_files: bool = False


@dataclass(frozen=True)
class Fault:
    """A fault of the record `data[key][index]`; `detail` quotes the offending value."""

    kind: Kind
    key: str
    index: int
    name: str
    detail: str = ''

    @property
    def example(self) -> str:
        """The record's name and the detail, as quoted in a finding."""
        return f'{self.name}: {self.detail}' if self.detail else self.name

    @property
    def why(self) -> str:
        """The kind and the detail, without the record's name."""
        return f'{self.kind.what}: {self.detail}' if self.detail else self.kind.what

    def __str__(self) -> str:
        return f'{self.name}: {self.why}'

    def is_dropped(self, training: bool = False) -> bool:
        """Whether the record must be dropped, in any split or in one for `training`."""
        return self.kind.dropped == 'always' or (training and self.kind.dropped == 'in training')


REPEATED_IMAGE = Kind('error', 'image id used twice', 'always')
LISTED_TWICE = Kind('warning', 'image listed under several image ids')
UNREADABLE_IMAGE = Kind('error', 'image that cannot be read', 'always')
OTHER_SIZE = Kind('error', 'image whose size differs from the JSON file', 'always')
TURNED = Kind(
    'warning',
    'image that its EXIF orientation mirrors or turns by 180°: boxes must be those of the image '
    'as it is loaded',
)
TOO_NARROW = Kind('error', resizing.TOO_NARROW, 'always')

REPEATED_CATEGORY = Kind('error', 'category id used twice')
REPEATED_NAME = Kind('error', 'category name used twice')

UNKNOWN_IMAGE = Kind('warning', 'annotation of an unknown image', 'always')
UNKNOWN_CATEGORY = Kind('error', 'annotation of an unknown category', 'always')
REPEATED_ANNOTATION = Kind('error', 'annotation id used twice', 'always')
ID_ZERO = Kind('warning', 'annotation with id 0, which pycocotools can never count as found')

EMPTY_BOX = Kind(
    'warning', 'empty box (width or height ≤ 0), which evaluation counts as missed', 'in training'
)
THIN_BOX = Kind('warning', 'box thinner than a pixel', 'in training')
BOX_OUTSIDE = Kind('warning', 'box completely outside its image', 'in training')
BOX_ACROSS = Kind('warning', 'box partly outside its image, cut at the edge')
BROKEN_MASK = Kind('error', 'mask that cannot be decoded', 'always')
NO_AREA = Kind('warning', "annotation whose 'area' is not positive", 'in training')


def find_faults(
    data: Record,
    image_dir: Path,
    masks: bool = False,
    evaluated: bool = True,
    reading: Reading = 'some headers',
    loader: LoadImageFromFile | None = None,
    scale: resizing.Scale | None = None,
) -> Iterator[Fault]:
    """Yield the faults of a COCO file's records: images, then categories, then annotations.

    Records with wrong fields are not examined further. Annotations of a dropped image are dropped
    with it; their ids and boxes are not examined.

    Args:
        data: From `read_coco`.
        image_dir: Folder of the images.
        masks: Require a 'segmentation' in every annotation, and decode it.
        evaluated: The split is scored by pycocotools, which needs 'iscrowd' and ids above 0.
        reading: How much of the image files is read.
        loader: Loads the images as training or evaluation does.
        scale: The smallest to which the split's images are resized (see `smallest_scale`).
    """
    loader = loader or LoadImageFromFile()
    image_faults = list(_image_faults(data['images'], image_dir, reading, loader, scale))
    yield from image_faults
    yield from _category_faults(data['categories'])
    images = {image['id']: image for image in sound_images(data, image_faults)}
    fields = annotation_fields(masks, evaluated)
    yield from _annotation_faults(data, images, fields, evaluated, masks)


def sound_images(data: Record, faults: Iterable[Fault]) -> list[Record]:
    """List the images that are not dropped."""
    dropped = {fault.index for fault in faults if fault.key == 'images' and fault.is_dropped()}
    return [image for i, image in enumerate(data['images']) if i not in dropped]


def drop_faulty(data: Record, faults: Sequence[Fault], training: bool) -> Record:
    """Copy a COCO file's data without faulty records and without annotations of dropped images.

    Args:
        data: From `read_coco`.
        faults: From `find_faults`.
        training: Also drop the annotations that mmdet would not train on.
    """
    images = sound_images(data, faults)
    ids = {image['id'] for image in images}
    dropped = {
        fault.index for fault in faults if fault.key == 'annotations' and fault.is_dropped(training)
    }
    annotations = [
        record
        for i, record in enumerate(data['annotations'])
        if i not in dropped and record['image_id'] in ids
    ]
    return {**data, 'images': images, 'annotations': annotations}


def field_faults(key: str, records: list[Record], fields: Fields) -> Iterator[Fault]:
    """Yield a fault for each missing or invalid field of the records in list `key`."""
    for field, (is_valid, expected) in fields.items():
        dropped: Literal['always', 'never'] = 'never' if key == 'categories' else 'always'
        kind = Kind('error', f'{field!r} of {key} is not {expected}', dropped)
        if all_valid(is_valid, [record.get(field) for record in records]):
            continue
        for index, record in enumerate(records):
            if not is_valid(record.get(field)):
                found = f'{record[field]!r:.60}' if field in record else 'missing'
                yield _fault(kind, key, index, record, found)


def _fault(kind: Kind, key: str, index: int, record: Record, detail: str = '') -> Fault:
    """Make a fault that names the record by its file or id, else by its position."""
    name = f'{key}[{index}]'
    if key == 'images' and type(record.get('file_name')) is str:
        name = record['file_name'] or name
    elif key == 'annotations' and type(record.get('id')) is int:
        name = f'id {record["id"]} (image {record.get("image_id")})'
    return Fault(kind, key, index, name, detail)


def _partition(
    key: str, records: list[Record], fields: Fields
) -> tuple[list[Fault], dict[int, Record]]:
    """Collect the faults of the records' fields, and by position the records without any."""
    faults = list(field_faults(key, records, fields))
    faulty = {fault.index for fault in faults}
    return faults, {i: record for i, record in enumerate(records) if i not in faulty}


def _image_faults(
    records: list[Record],
    image_dir: Path,
    reading: Reading,
    loader: LoadImageFromFile,
    scale: resizing.Scale | None,
) -> Iterator[Fault]:
    faults, valid = _partition('images', records, IMAGE_FIELDS)
    yield from faults
    missing = Kind('error', f'image missing in {image_dir}', 'always', missing_files=True)
    step = max(1, len(records) // HEADERS) if reading == 'some headers' else 1
    ids: set[int] = set()
    names: set[str] = set()
    folders: dict[str, set[str]] = {}
    for index, record in valid.items():
        fault = None
        path = os.path.join(image_dir, record['file_name'])
        if record['file_name'] in names:
            yield _fault(LISTED_TWICE, 'images', index, record, f'also id {record["id"]}')
        if record['id'] in ids:
            fault = _fault(REPEATED_IMAGE, 'images', index, record, f'id {record["id"]}')
        elif not _exists(path, folders):
            fault = _fault(missing, 'images', index, record)
        elif resizing.becomes_empty(record['width'], record['height'], scale):
            size = size_name(record['width'], record['height'])
            fault = _fault(TOO_NARROW, 'images', index, record, size)
        elif index % step == 0:
            fault = _file_fault(index, record, path, loader, decode=reading == 'pixels')
        if fault:
            yield fault
        if fault is None or fault.kind is TURNED:
            ids.add(record['id'])
        names.add(record['file_name'])


def _exists(path: str, folders: dict[str, set[str]]) -> bool:
    """Look up a file in its folder's listing, cached in `folders`: a `stat` per image is slow."""
    folder, name = os.path.split(disk_path(path))
    if folder not in folders:
        folders[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    return name in folders[folder]


def _file_fault(
    index: int, record: Record, path: str, loader: LoadImageFromFile, decode: bool
) -> Fault | None:
    try:
        size = image_size(path, loader.upright)
        if decode and size is not None:
            loader({'img_path': path})
    except UNREADABLE as error:
        return _fault(UNREADABLE_IMAGE, 'images', index, record, str(error))
    expected = (record['width'], record['height'])
    if size is None or size == expected:
        turn = exif_orientation(path) if loader.upright else 1
        found = f'orientation {turn}'
        return _fault(TURNED, 'images', index, record, found) if turn in OTHER_TURNS else None
    hint = swap_hint(path, size, expected)
    found = f'{size_name(*size)}, not {size_name(*expected)}{hint}'
    return _fault(OTHER_SIZE, 'images', index, record, found)


def _category_faults(records: list[Record]) -> Iterator[Fault]:
    faults, valid = _partition('categories', records, CATEGORY_FIELDS)
    yield from faults
    for field, kind in (('id', REPEATED_CATEGORY), ('name', REPEATED_NAME)):
        seen: set[int | str] = set()
        for index, record in valid.items():
            if record[field] in seen:
                yield _fault(kind, 'categories', index, record, f'{field} {record[field]!r}')
            seen.add(record[field])


def _annotation_faults(
    data: Record, images: Mapping[int, Record], fields: Fields, evaluated: bool, masks: bool
) -> Iterator[Fault]:
    """Yield faults of annotations, given the images without faults by their id."""
    faults, valid = _partition('annotations', data['annotations'], fields)
    yield from faults
    known = {key: _ids(data[key]) for key in ('images', 'categories')}
    ids: set[int] = set()
    linked: dict[int, Record] = {}
    for index, record in valid.items():
        if record['image_id'] not in known['images']:
            yield _fault(UNKNOWN_IMAGE, 'annotations', index, record)
        elif record['category_id'] not in known['categories']:
            found = f'category {record["category_id"]}'
            yield _fault(UNKNOWN_CATEGORY, 'annotations', index, record, found)
        elif record['image_id'] not in images:
            continue
        elif record['id'] in ids:
            yield _fault(REPEATED_ANNOTATION, 'annotations', index, record)
        else:
            if evaluated and record['id'] == 0:
                yield _fault(ID_ZERO, 'annotations', index, record)
            ids.add(record['id'])
            linked[index] = record
    yield from _box_faults(linked, images)
    if masks:
        yield from _mask_faults(linked, images)


def _mask_faults(
    annotations: Mapping[int, Record], images: Mapping[int, Record]
) -> Iterator[Fault]:
    """Decode the masks of annotations, given by their position."""
    indices, records = list(annotations), list(annotations.values())
    for start in track(range(0, len(records), CHUNK), 'Checking masks'):
        chosen = records[start : start + CHUNK]
        sizes = [_size(images[record['image_id']]) for record in chosen]
        whys = mask_faults([record['segmentation'] for record in chosen], sizes)
        for i, why in enumerate(whys):
            if why is not None:
                yield _fault(BROKEN_MASK, 'annotations', indices[start + i], chosen[i], why)


def _size(image: Record) -> tuple[object, object]:
    return image['width'], image['height']


def _ids(records: list[Record]) -> set[int]:
    return {record['id'] for record in records if type(record.get('id')) is int}


def _box_faults(annotations: Mapping[int, Record], images: Mapping[int, Record]) -> Iterator[Fault]:
    """Compare the boxes of K annotations, given by their position, to their images."""
    indices, records = list(annotations), list(annotations.values())
    sizes = {id_: (image['width'], image['height']) for id_, image in images.items()}
    size = np.array([sizes[record['image_id']] for record in records]).reshape(-1, 2)
    boxes = stack_boxes(records)
    area = np.array([record['area'] for record in records], dtype=np.float64)
    for kind, hits in _box_kinds(boxes, area, size).items():
        for i in np.flatnonzero(hits):
            yield _fault(kind, 'annotations', indices[i], records[i], str(records[i]['bbox']))


def _box_kinds(boxes: np.ndarray, area: np.ndarray, size: np.ndarray) -> dict[Kind, np.ndarray]:
    """Select boxes (K, 4) by their faults: kind → (K,) booleans.

    Args:
        boxes: (K, 4).
        area: (K,) of the annotations.
        size: (K, 2), width and height of their images.
    """
    start, extent = boxes[:, :2], boxes[:, 2:]
    empty = (extent <= 0).any(1)
    thin = ~empty & (extent < 1).any(1)
    outside = ~empty & ((start >= size) | (start + extent <= 0)).any(1)
    across = (start < -TOLERANCE) | (start + extent > size + TOLERANCE)
    return {
        EMPTY_BOX: empty,
        THIN_BOX: thin,
        BOX_OUTSIDE: outside,
        BOX_ACROSS: ~empty & ~outside & across.any(1),
        NO_AREA: ~(empty | thin | outside) & ~(area > 0),
    }
