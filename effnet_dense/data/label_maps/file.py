"""A folder of images and label maps: its classes.json, and which files belong together.

images/{train,val}/NAME.jpg     or another format that OpenCV reads; NAME may have folders
labels/{train,val}/NAME.png     see `decode_label_map`
classes.json                    {"classes": [names], "ignore": value}, "ignore" optional
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from effnet_dense.data.coco.file import duplicates, json_type
from effnet_dense.data.label_maps.decode import MAX_VALUE, NO_CLASS

CLASSES_FILE = 'classes.json'
LABEL_SUFFIX = '.png'
IMAGE_SUFFIXES = frozenset(
    [
        '.bmp',
        '.jp2',
        '.jpe',
        '.jpeg',
        '.jpg',
        '.pbm',
        '.pgm',
        '.png',
        '.ppm',
        '.tif',
        '.tiff',
        '.webp',
    ]
)
EXPECTED_CLASSES = '{"classes": ["first", "second", …], "ignore": 255}, "ignore" is optional'


@dataclass(frozen=True)
class LabelClasses:
    """Names of the values 0, 1, … of a label map, and the value that means none of them."""

    names: tuple[str, ...]
    ignore: int | None = None


def read_classes(path: Path) -> LabelClasses:
    """Read a classes.json.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no JSON, or not as `EXPECTED_CLASSES`.
    """
    if not path.is_file():
        raise FileNotFoundError(f'expected {path} with {EXPECTED_CLASSES}; there is none')
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    if not isinstance(data, dict) or 'classes' not in data:
        got = f'the keys {sorted(data)}' if isinstance(data, dict) else f'a {json_type(data)}'
        raise ValueError(f'{path}: expected {EXPECTED_CLASSES}, got {got}')
    names = _names(data['classes'], path)
    return LabelClasses(names, _ignored(data.get('ignore'), len(names), path))


def _names(names: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise ValueError(f"{path}: 'classes' must be a list of names, got a {json_type(names)}")
    wrong = [f'position {i}: {name!r:.60}' for i, name in enumerate(names) if not _is_name(name)]
    if wrong:
        raise ValueError(f"{path}: 'classes' must be names, got {', '.join(wrong[:3])}")
    if twice := duplicates(names):
        raise ValueError(f"{path}: 'classes' has names more than once: {', '.join(twice)}")
    if not 2 <= len(names) <= NO_CLASS:
        raise ValueError(
            f"{path}: expected 2 to {NO_CLASS} 'classes' (a background is one, too), "
            f'got {len(names)}'
        )
    return tuple(names)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.strip() != ''


def _ignored(value: Any, classes: int, path: Path) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MAX_VALUE:
        raise ValueError(f"{path}: 'ignore' must be null or a pixel's value, got {value!r:.60}")
    if value < classes:
        raise ValueError(
            f"{path}: 'ignore' is {value}, which is a class of its own: 'classes' has "
            f'{classes} names, for the values 0 to {classes - 1}'
        )
    return value


@dataclass(frozen=True)
class LabelSplit:
    """Where one part of a data set lies."""

    image_dir: Path
    label_dir: Path


@dataclass(frozen=True)
class LabelPair:
    """An image and its label map."""

    image: Path
    label: Path


def list_files(folder: Path) -> Iterator[PurePath]:
    """The files in a folder and the folders in it, relative to it, sorted; hidden ones left out."""
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for name in sorted(files):
            if not name.startswith('.'):
                yield PurePath(place, name).relative_to(folder)


def stems(files: list[PurePath]) -> dict[str, list[PurePath]]:
    """Files by their name without suffix, folders included."""
    found: dict[str, list[PurePath]] = {}
    for file in files:
        found.setdefault(file.with_suffix('').as_posix(), []).append(file)
    return found


def list_images(folder: Path) -> dict[str, list[PurePath]]:
    """The images of a folder by their stem; more than one image of a stem is a fault."""
    return stems([f for f in list_files(folder) if f.suffix.lower() in IMAGE_SUFFIXES])


def list_labels(folder: Path) -> dict[str, list[PurePath]]:
    """The label maps of a folder by their stem."""
    return stems([f for f in list_files(folder) if f.suffix.lower() == LABEL_SUFFIX])


def find_pairs(split: LabelSplit) -> list[LabelPair]:
    """Images that have a label map of the same stem, sorted by stem."""
    images, labels = list_images(split.image_dir), list_labels(split.label_dir)
    return [
        LabelPair(split.image_dir / images[stem][0], split.label_dir / labels[stem][0])
        for stem in sorted(images.keys() & labels.keys())
    ]


def locate_labels(root: Path, splits: Sequence[str]) -> Mapping[str, LabelSplit]:
    """Where the parts of a data set lie.

    Raises:
        FileNotFoundError: a folder of images or of label maps is missing.
    """
    parts = {name: LabelSplit(root / 'images' / name, root / 'labels' / name) for name in splits}
    missing = [
        str(folder)
        for part in parts.values()
        for folder in (part.image_dir, part.label_dir)
        if not folder.is_dir()
    ]
    if missing:
        raise FileNotFoundError(f'expected folders that are missing: {", ".join(missing)}')
    return parts
