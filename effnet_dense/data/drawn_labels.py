"""Objects with polygons or masks → label maps, to train a semantic model on an instance dataset."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from effnet_dense.data.formats.detect import find_dataset
from effnet_dense.data.formats.found import FoundData
from effnet_dense.data.image_files import UNREADABLE, image_size
from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.decode import NO_CLASS
from effnet_dense.data.label_maps.folder import LabelsOfObjects
from effnet_dense.data.label_maps.layouts import Layout
from effnet_dense.data.label_maps.pairs import LabelSplit
from effnet_dense.data.masks import mask_fault, to_runs
from effnet_dense.data.normalise import NormalPart, normalise
from effnet_dense.utils.atomic import PARTIAL, atomic_write
from effnet_dense.utils.counted import counted
from effnet_dense.utils.near_names import listed
from effnet_dense.utils.nothing_left import note_new
from effnet_dense.utils.progress import track

BACKGROUND = 'background'
MARK = '.complete'
"""File in a rendered part's folder that is written last."""

THREADS = 4

FAILURES: tuple[type[Exception], ...] = (*UNREADABLE, KeyError)
"""Exceptions of images that cannot be read, and of annotations with an unknown category."""

Record = dict[str, Any]


@dataclass(frozen=True)
class _Task:
    """An image whose label map is written."""

    image: Path
    target: Path
    objects: Sequence[Record]


def labels_of_objects(root: Path, folder: Path) -> LabelsOfObjects | None:
    """Draw the label maps of a folder of objects (see `render_dataset`); None if it holds none.

    Raises:
        FileNotFoundError: Images are missing.
        ValueError: There are no masks, or faulty ones.
    """
    try:
        data = find_dataset(root, folder)
    except FileNotFoundError:
        return None
    return render_dataset(data, folder)


def render_dataset(data: FoundData, folder: Path) -> LabelsOfObjects:
    """Write a label map for each image of a dataset; what an earlier call wrote is used again.

    Class 0 is the background. Smaller objects lie on larger ones, and regions of crowds, and of
    objects without a mask beside others that have one, have no class (255).

    Args:
        data: The dataset.
        folder: Where the label maps go, in a folder for each part.

    Raises:
        FileNotFoundError: Images are missing.
        ValueError: There are no masks, or faulty ones.
    """
    normal = normalise(data.splits, data.root)
    names = class_names(list(normal.values()))
    parts = {name: _render_part(part, names, folder) for name, part in normal.items()}
    remarks = [f'{data.format} in {data.root}', *data.remarks]
    for name, part in normal.items():
        remarks += [f'  {name}, {repair}' for repair in part.repairs]
    remarks.append(
        f'its masks are drawn as label maps into {folder}: class 0 is the background, smaller '
        'objects lie on larger ones'
    )
    for part in normal.values():
        remarks += _ignored(part)
    return LabelsOfObjects(
        Layout(data.root, parts, tuple(remarks)), LabelClasses((BACKGROUND, *names), NO_CLASS)
    )


def render(
    objects: Sequence[Record], labels: Mapping[Any, int], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Draw objects as a label map (H, W).

    Args:
        objects: Annotations in COCO's form.
        labels: Category id → label.
        size: Width and height of the image.

    Raises:
        ValueError: A mask cannot be decoded.
    """
    width, height = size
    drawn = np.zeros((height, width), dtype=np.uint8)
    whole = []
    for annotation in objects:
        if annotation.get('segmentation') and not annotation.get('iscrowd'):
            mask = decode_mask(annotation['segmentation'], width, height)
            whole.append((int(mask.sum()), labels[annotation['category_id']], mask))
        elif annotation.get('segmentation'):
            drawn[decode_mask(annotation['segmentation'], width, height)] = NO_CLASS
        else:
            drawn[_box(annotation.get('bbox'))] = NO_CLASS
    for _, label, mask in sorted(whole, key=lambda entry: -entry[0]):
        drawn[mask] = label
    return drawn


def decode_mask(segmentation: Any, width: int, height: int) -> NDArray[np.bool_]:
    """Decode polygons or run lengths to a mask (H, W).

    Raises:
        ValueError: It cannot be decoded.
    """
    if fault := mask_fault(segmentation, width, height):
        raise ValueError(fault)
    return np.asarray(coco_mask.decode(to_runs(segmentation, width, height)), dtype=bool)


def _box(box: Any) -> tuple[slice, slice]:
    """Return rows and columns of a box; none if it is not one."""
    try:
        x, y, w, h = (max(0.0, float(side)) for side in box)
        return slice(int(y), int(np.ceil(y + h))), slice(int(x), int(np.ceil(x + w)))
    except (TypeError, ValueError, OverflowError):
        return slice(0, 0), slice(0, 0)


def class_names(splits: Sequence[NormalPart]) -> tuple[str, ...]:
    """Return the names of all parts' classes without a background, which comes first.

    A category that is the others' supercategory and has no object is left out: Roboflow's root.
    """
    categories = [category for split in splits for category in split.data['categories']]
    roots = {category.get('supercategory') for category in categories}
    used = {
        str(category['name'])
        for split in splits
        for ids in [{entry.get('category_id') for entry in split.data['annotations']}]
        for category in split.data['categories']
        if category['id'] in ids
    }
    names = (str(category['name']) for category in categories)
    return tuple(
        dict.fromkeys(
            name
            for name in names
            if name.lower() != BACKGROUND and (name in used or name not in roots)
        )
    )


def _labels(split: NormalPart, names: Sequence[str]) -> dict[Any, int]:
    """Number a part's categories by name: id → label, 0 for a background."""
    labels = {name: label for label, name in enumerate(names, start=1)}
    return {
        category['id']: labels.get(category['name'], 0) for category in split.data['categories']
    }


def _ignored(split: NormalPart) -> list[str]:
    """Say how many objects have no class."""
    annotations = split.data['annotations']
    crowds = sum(bool(entry.get('iscrowd')) for entry in annotations)
    boxes = sum(not entry.get('segmentation') for entry in annotations)
    counts = [(crowds, 'crowd regions'), (boxes, 'boxes of objects without a mask')]
    return [
        f'{split.source.name}: {count} {what} are ignored ({NO_CLASS})'
        for count, what in counts
        if count
    ]


def _render_part(split: NormalPart, names: Sequence[str], folder: Path) -> LabelSplit:
    """Write the label maps of a part, and the list of its images."""
    annotations = split.data['annotations']
    if not any(entry.get('segmentation') for entry in annotations):
        raise ValueError(
            f'{split.source} has no masks or polygons, only {len(annotations)} boxes: a model for '
            'segmentation needs masks, a config for detection takes boxes'
        )
    files = _files(split)
    base = Path(os.path.commonpath([path.parent for path in files.values()]))
    key = json.dumps([names, split.data, [str(path) for path in split.paths]], default=str)
    digest = hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:12]
    target = folder / f'label_maps-{digest}'
    stems = {path: path.relative_to(base).with_suffix('').as_posix() for path in files.values()}
    if not (target / MARK).is_file():
        _write_part(split, _labels(split, names), files, stems, target)
    return LabelSplit(base, target, list_file=target / MARK)


def _write_part(
    split: NormalPart,
    labels: Mapping[Any, int],
    files: Mapping[Any, Path],
    stems: Mapping[Path, str],
    target: Path,
) -> None:
    if target.exists():
        raise ValueError(f'{target} is not a complete set of label maps: move it away')
    partial = target.with_name(f'{PARTIAL}{target.name}')
    shutil.rmtree(partial, ignore_errors=True)
    objects: dict[Any, list[Record]] = {}
    for annotation in split.data['annotations']:
        objects.setdefault(annotation.get('image_id'), []).append(annotation)
    tasks = [
        _Task(path, partial / f'{stems[path]}.png', objects.get(image, ()))
        for image, path in files.items()
    ]
    try:
        partial.mkdir(parents=True)
        with ThreadPoolExecutor(THREADS) as pool:
            done = pool.map(lambda task: _write(task, labels), tasks)
            faults = [fault for fault in track(done, 'Drawing label maps', len(tasks)) if fault]
        if faults:
            raise ValueError(
                f'{split.source}: {counted(len(faults), "image")} cannot be drawn: '
                f'{"; ".join(faults[:3])}'
            )
        atomic_write(partial / MARK, '\n'.join(sorted(stems.values())) + '\n')
        note_new(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(task: _Task, labels: Mapping[Any, int]) -> str:
    """Write a label map; return what is wrong, '' if nothing."""
    try:
        size = image_size(task.image)
        if size is None:
            return f'{task.image.name}: its size cannot be read'
        drawn = render(task.objects, labels, size)
    except FAILURES as error:
        return f'{task.image.name}: {error}'
    task.target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(drawn).save(task.target)
    return ''


def _files(split: NormalPart) -> dict[Any, Path]:
    """Find the images of a part: id → path.

    Raises:
        FileNotFoundError: Some are missing.
        ValueError: Two records have the same image.
    """
    found: dict[Any, Path] = {}
    missing = []
    for image, path in zip(split.data['images'], split.paths, strict=True):
        if path is None:
            missing.append(str(image.get('file_name', '')))
        else:
            found[image['id']] = path
    if missing:
        hints = ''.join(f'\n{hint}' for hint in split.hints)
        raise FileNotFoundError(
            f'{split.source}: {counted(len(missing), "image is", "images are")} missing in '
            f'{split.image_dir}: '
            f'{listed(missing)}{hints}'
        )
    twice = [path.name for path, count in Counter(found.values()).items() if count > 1]
    if twice:
        raise ValueError(f'{split.source}: images with more than one record: {listed(twice)}')
    return found
