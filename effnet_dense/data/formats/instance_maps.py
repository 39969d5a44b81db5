"""Read images with maps of instances, whose pixels say which object they belong to.

Penn-Fudan:  PNGImages/, PedMasks/NAME_mask.png: 0, then 1, 2, … for each pedestrian (its
             readme.txt).
Cityscapes:  gtFine/…_gtFine_instanceIds.png: labelId × 1000 + number; below 1000 a group of
             objects, or stuff (cityscapesScripts, json2instanceImg.py).
VOC, CVAT:   SegmentationObject/ numbers the objects, SegmentationClass/ has their classes.
Others:      classes.json with "instances": "values" or "colours" where each value or colour but 0
             or black is an object of the only class, or a factor, such as 1000, where
             value = class × factor + number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.data.formats.folders import Folders
from effnet_dense.data.formats.found import FoundData, FoundSplit
from effnet_dense.data.formats.layout import Layout
from effnet_dense.data.formats.map_objects import map_objects
from effnet_dense.data.formats.parts import UNNAMED
from effnet_dense.data.formats.records import Records
from effnet_dense.data.image_files import size_name
from effnet_dense.data.label_maps.colours import ColourTable
from effnet_dense.data.label_maps.decode import (
    NO_CLASS,
    ColouredError,
    decode_colours,
    decode_label_map,
)
from effnet_dense.data.label_maps.known import VOC_BORDER, voc_names
from effnet_dense.data.label_maps.layouts import search_layout
from effnet_dense.data.label_maps.pairs import LabelPair, LabelSplit, find_pairs
from effnet_dense.data.label_maps.tables import read_table
from effnet_dense.utils.progress import track
from effnet_dense.utils.regular_files import read_file

THREADS = 4

CITYSCAPES = {
    **{24: 'person', 25: 'rider', 26: 'car', 27: 'truck', 28: 'bus'},
    **{31: 'train', 32: 'motorcycle', 33: 'bicycle'},
}
"""labelIds of the classes with instances that are evaluated (helpers/labels.py)."""

CITYSCAPES_END = '_gtFine_instanceIds'
OBJECTS = 'segmentationobject'
CLASSES = 'segmentationclass'
FACTOR = 1000


Named = Mapping[int, tuple[str, bool]]
"""Value of an object → its class, and whether it is a group."""

Reader = Callable[[Path], tuple[NDArray[Any], Named]]
"""Map of instances → its values (H, W), and its objects."""


@dataclass(frozen=True)
class _Kind:
    """How a dataset's maps are read, and its classes."""

    format: str
    splits: Mapping[str, LabelSplit]
    classes: tuple[str, ...]
    read: Reader


def locate_instance_maps(root: Path, folders: Folders) -> Layout | None:
    """Find images with maps of instances."""
    kind = _stated(root, folders) or _known(root, folders)
    if kind is None:
        return None
    parts = kind.splits if set(kind.splits) != {'train'} else {UNNAMED: kind.splits['train']}
    parts = dict(sorted(parts.items()))  # of several faults, always the same one is named
    place = next(iter(parts.values())).label_dir
    return Layout(
        format=kind.format,
        source=f'{place.relative_to(root).as_posix()}/',
        parts=frozenset(parts),
        read=lambda: FoundData(
            kind.format, root, {name: _read(part, kind) for name, part in parts.items()}
        ),
    )


def _splits(root: Path) -> Mapping[str, LabelSplit]:
    layout = search_layout(root)
    return {} if layout is None or layout.root != root else layout.parts


def _stated(root: Path, folders: Folders) -> _Kind | None:
    """Read "instances" of a classes.json."""
    path = folders(root).files.get('classes.json')
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig')) if path is not None else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get('instances') is None:
        return None
    names, how = content.get('classes'), content['instances']
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise ValueError(f"{path}: 'classes' must be a list of names, got {names!r:.60}")
    if how in ('values', 'colours', 'colors'):
        if len(names) != 1:
            raise ValueError(
                f'{path}: "instances": "{how}" does not say which of {len(names)} classes an '
                'object has; expected one class, or a factor'
            )
        read = partial(_numbered, name=names[0], coloured=how != 'values')
    elif type(how) is int and how > 1:
        first = content.get('first', 0)
        table = dict(enumerate(names, start=first if type(first) is int else 0))
        read = partial(_multiplied, names=table, factor=how)
    else:
        raise ValueError(
            f'{path}: \'instances\' must be "values", "colours" or a factor, got {how!r:.60}'
        )
    splits = _splits(root)
    if not splits:
        raise FileNotFoundError(f'{path} names instances, but {root} has no images with maps')
    return _Kind('maps of instances', splits, tuple(names), read)


def _known(root: Path, folders: Folders) -> _Kind | None:
    """Recognise public datasets, and CVAT's export."""
    below = folders(root).folders
    if 'pedmasks' in below and 'pngimages' in below:
        read = partial(_numbered, name='pedestrian', coloured=False)
        return _Kind('Penn-Fudan', _splits(root), ('pedestrian',), read)
    if 'gtfine' in below and 'leftimg8bit' in below:
        splits = {
            name: replace(part, image_end='_leftImg8bit', label_end=CITYSCAPES_END)
            for name, part in _splits(root).items()
        }
        read = partial(_multiplied, names=CITYSCAPES, factor=FACTOR, groups=True)
        return _Kind("Cityscapes' instances", splits, tuple(CITYSCAPES.values()), read)
    if OBJECTS in below and CLASSES in below:
        return _beside_classes(root, below)
    return None


def _beside_classes(root: Path, below: Mapping[str, Path]) -> _Kind | None:
    """VOC's layout: the class of an object is that of its pixels in the map of classes."""
    splits = {name: replace(part, label_dir=below[OBJECTS]) for name, part in _splits(root).items()}
    if not splits:
        return None
    table = read_table(root)
    if table is None:
        names = voc_names()
        labels = {label: label for label in range(1, len(names))}
    else:
        names = table[0].names
        labels = dict(table[0].colours or table[0].values or {})
    kept = {code: names[label] for code, label in labels.items() if label != NO_CLASS}
    coloured = table is not None and table[0].colours is not None
    kept = {code: name for code, name in kept.items() if name.lower() != 'background'}
    read = partial(
        _classified, objects=below[OBJECTS], maps=below[CLASSES], names=kept, coloured=coloured
    )
    return _Kind('maps of classes and of objects', splits, tuple(kept.values()), read)


def _numbered(path: Path, name: str, coloured: bool) -> tuple[NDArray[Any], Named]:
    """Each value or colour but 0 or black is an object."""
    content = read_file(path)
    values = decode_colours(content) if coloured else decode_label_map(content)
    return values, {value: (name, False) for value in np.unique(values).tolist() if value != 0}


def _multiplied(
    path: Path, names: Mapping[int, str], factor: int, groups: bool = False
) -> tuple[NDArray[Any], Named]:
    """Values are class × factor + number; a value below the factor is a group, or no object."""
    values = decode_label_map(read_file(path))
    found = {}
    for value in np.unique(values).tolist():
        name = names.get(value // factor if value >= factor or not groups else value)
        crowd = groups and value < factor
        if name is not None and (value >= factor or crowd):
            found[value] = name, crowd
    return values, found


def _classified(
    path: Path, objects: Path, maps: Path, names: Mapping[int, str], coloured: bool
) -> tuple[NDArray[Any], Named]:
    """The class of an object is the most frequent one of its pixels."""
    numbers, of_colours = _any_codes(path)
    file = read_file(maps / path.relative_to(objects))
    classes = decode_colours(file) if coloured else decode_label_map(file)
    labels = ColourTable({code: index for index, code in enumerate(names)})(
        classes.astype(np.uint32)
    )
    if labels.shape != numbers.shape:
        raise ValueError(
            f'it is {size_name(*numbers.shape[::-1])} pixels, the map of classes '
            f'{size_name(*labels.shape[::-1])}'
        )
    ordered = list(names.values())
    left_out = (0, VOC_BORDER if of_colours else NO_CLASS)
    unique, where = np.unique(numbers, return_inverse=True)
    pixels = where.ravel() * (len(ordered) + 1) + labels.ravel() + 1  # a column for no class
    pairs, counts = np.unique(pixels, return_counts=True)
    most: dict[int, tuple[int, int]] = {}
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        row, label = divmod(pair, len(ordered) + 1)
        if label > 0 and count > most.get(row, (0, 0))[0]:
            most[row] = count, label - 1
    found = {int(unique[row]): (ordered[label], False) for row, (_, label) in most.items()}
    return numbers, {number: named for number, named in found.items() if number not in left_out}


def _any_codes(path: Path) -> tuple[NDArray[Any], bool]:
    """Decode values, or colours where a file has them."""
    content = read_file(path)
    try:
        return decode_label_map(content), False
    except ColouredError:
        return decode_colours(content), True


def _read(split: LabelSplit, kind: _Kind) -> FoundSplit:
    """Read the objects of all images.

    Raises:
        ValueError: A map cannot be read.
    """
    pairs = find_pairs(split)
    if not pairs:
        raise ValueError(f'{split.label_dir} has no map of instances for {split.image_dir}')
    with ThreadPoolExecutor(THREADS) as pool:
        results = pool.map(partial(_objects, read=kind.read), pairs)
        contents = list(track(results, 'Reading maps of instances', len(pairs)))
    records = Records()
    for pair, (size, objects) in zip(pairs, contents, strict=True):
        image = records.add_image(pair.image.relative_to(split.image_dir).as_posix(), size)
        for name, box, runs, crowd in objects:
            records.add(image, name, box, runs, crowd)
    return FoundSplit(records.coco(kind.classes), (split.image_dir,), split.label_dir)


Encoded = tuple[str, Sequence[float], dict[str, Any], bool]


def _objects(pair: LabelPair, read: Reader) -> tuple[tuple[int, int] | None, list[Encoded]]:
    """Encode an image's objects: its size, and name, box, run lengths and crowd of each."""
    found: list[Encoded] = []
    size = None
    try:
        values, objects = read(pair.label)
        size = (values.shape[1], values.shape[0]) if objects else None
        for entry in map_objects(values, objects.keys()):
            name, crowd = objects[entry.value]
            found.append((name, entry.box, entry.segmentation, crowd))
    except (OSError, ValueError) as error:
        raise ValueError(f'cannot read {pair.label}: {error}') from error
    return size, found
