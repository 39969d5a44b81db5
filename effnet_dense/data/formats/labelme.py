"""Read labelme: one JSON file for each image, with shapes and perhaps the image itself.

    {"version": "5.4.1", "flags": {}, "imagePath": "a.jpg", "imageData": BASE64 or null,
     "imageHeight": 480, "imageWidth": 640, "shapes": [{"label": "cat", "shape_type": "polygon",
     "points": [[x, y], …], "group_id": null, "mask": BASE64 of a PNG, for shape_type mask}]}

Shapes of a class with the same group_id are one object, as in labelme's own shapes_to_label
(labelme/utils/shape.py). Points are distances from the image's corner, in pixels.
"""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from effnet_dense.data.findings import json_type
from effnet_dense.data.formats.coco_json import ends_of
from effnet_dense.data.formats.embedded import FAILURES, EmbeddedImages
from effnet_dense.data.formats.folders import Folders
from effnet_dense.data.formats.found import FoundData, FoundSplit
from effnet_dense.data.formats.layout import Layout
from effnet_dense.data.formats.parts import pick_parts
from effnet_dense.data.formats.records import Records
from effnet_dense.data.formats.shapes import (
    Box,
    Polygon,
    Segmentation,
    check_size,
    ellipse,
    enclosing_box,
    mask_box,
    paste,
    rasterised,
    rectangle,
    run_lengths,
)
from effnet_dense.data.formats.sidecars import ImageNames, Sidecars, find_sidecars, left_out
from effnet_dense.data.formats.text import read_json
from effnet_dense.utils.counted import counted

FORMAT = 'labelme'
SKIPPED = ('point', 'points', 'line', 'linestrip')
"""Shapes without an area."""


@dataclass(frozen=True)
class _Shape:
    """A shape of an object: a box, a polygon, or pixels of the image (H, W)."""

    label: str
    group: object
    box: Box | None = None
    polygon: Polygon | None = None
    pixels: NDArray[np.bool_] | None = None


@dataclass
class _Counts:
    """What is left out, or decided."""

    skipped: Counter[str] = field(default_factory=Counter)
    grouped: int = 0
    filled: int = 0


def locate_labelme(root: Path, folders: Folders) -> Layout | None:
    """Find JSON files with shapes of one image."""
    parts = find_sidecars(root, folders, '.json', _is_labelme)
    if not parts:
        return None
    place = next(iter(parts.values())).base.relative_to(root).as_posix()
    read = lambda: _read(root, folders, parts)  # noqa: E731
    return Layout(FORMAT, f'{place}/*.json', frozenset(parts), read)


def _is_labelme(path: Path) -> bool:
    text = ends_of(path)
    return '"shapes"' in text and ('"imagePath"' in text or '"imageHeight"' in text)


def _read(root: Path, folders: Folders, parts: Mapping[str, Sidecars]) -> FoundData:
    names = {part: f'{s.base.relative_to(root).as_posix()}/' for part, s in parts.items()}
    picked, remarks = pick_parts(parts, names)
    counts, embedded = _Counts(), EmbeddedImages(folders.scratch / 'images')
    read, image_dirs, names_of_images = {}, {}, []
    for part, sidecars in picked.items():
        matched = ImageNames(folders, sidecars.image_dirs)
        read[part] = Records()
        for path in sidecars.files:
            if not _read_file(path, read[part], matched, embedded, counts):
                remarks.append(f'{path.relative_to(root)} is not used')
        own = (*sidecars.image_dirs, *embedded.folders())
        image_dirs[part] = own if matched.used else own[::-1]
        names_of_images.append(matched)
    remarks += left_out(names_of_images, 'JSON file')
    classes = sorted({label for records in read.values() for label in records.labels})
    counts.filled = sum(records.fill_masks() for records in read.values())
    splits = {
        part: FoundSplit(records.coco(classes), image_dirs[part], picked[part].base)
        for part, records in read.items()
    }
    return FoundData(FORMAT, root, splits, (*remarks, *embedded.remarks(), *_remarks(counts)))


def _remarks(counts: _Counts) -> list[str]:
    remarks = [
        f'{counted(number, "shape")} of the type {kind!r}, without an area: left out'
        for kind, number in sorted(counts.skipped.items())
    ]
    if counts.grouped:
        remarks.append(
            f'{counted(counts.grouped, "object has", "objects have")} several shapes, of the '
            'same group_id'
        )
    if counts.filled:
        own = 'has its' if counts.filled == 1 else 'have their'
        remarks.append(
            f'{counted(counts.filled, "rectangle")} among other shapes {own} area as mask'
        )
    return remarks


def _read_file(
    path: Path, records: Records, names: ImageNames, embedded: EmbeddedImages, counts: _Counts
) -> bool:
    """Read a JSON file; False if it is not labelme's."""
    content, _ = read_json(path, limit=2**30)
    if not isinstance(content, dict) or 'shapes' not in content:
        return False
    shapes, file_name = content['shapes'], content.get('imagePath')
    if not isinstance(shapes, list):
        raise ValueError(f"{path}: 'shapes' must be a list, got {json_type(shapes)}")
    if not isinstance(file_name, str) or '\0' in file_name:
        file_name = ''
    size = _size(content, path)
    stated = PureWindowsPath(file_name).as_posix() if file_name else ''
    name = names.match(stated, path.stem)
    if content.get('imageData') and names.find(name) is None:
        name = embedded.write(content['imageData'], stated or path.stem, path)
    image = records.add_image(name, size)
    groups: dict[tuple[str, object], list[_Shape]] = {}
    for i, shape in enumerate(shapes):
        try:
            parsed = _shape(shape, size, counts)
        except ValueError as error:
            raise ValueError(f'{path}, shapes[{i}]: {error}') from None
        if parsed is not None:
            alone = ('shape', i) if parsed.group is None else parsed.group
            groups.setdefault((parsed.label, alone), []).append(parsed)
    for (label, _), members in groups.items():
        counts.grouped += len(members) > 1
        try:
            records.add(image, label, *_merged(members, size))
        except ValueError as error:
            raise ValueError(f'{path}, an object of the class {label!r}: {error}') from None
    return True


def _size(content: dict[str, Any], path: Path) -> tuple[int, int] | None:
    sides = content.get('imageWidth'), content.get('imageHeight')
    if sides == (None, None):
        return None
    if not all(type(side) is int and side > 0 for side in sides):
        raise ValueError(
            f"{path}: expected 'imageWidth' and 'imageHeight' as positive integers, got "
            f'{sides[0]!r:.20} and {sides[1]!r:.20}'
        )
    return sides  # type: ignore[return-value]


def _shape(shape: Any, size: tuple[int, int] | None, counts: _Counts) -> _Shape | None:
    """Read a shape; None for one without an area."""
    if not isinstance(shape, dict):
        raise ValueError(f'expected an object, got {json_type(shape)}')
    label, kind = shape.get('label'), shape.get('shape_type') or 'polygon'
    if not isinstance(label, str) or not label:
        raise ValueError(f"expected a text as 'label', got {json_type(label)}")
    group = shape.get('group_id')
    group = group if isinstance(group, int | str) else None
    if kind in SKIPPED:
        counts.skipped[kind] += 1
        return None
    points = _points(shape.get('points'))
    if kind == 'rectangle' and len(points) == 2:
        (x1, y1), (x2, y2) = points
        box = min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)
        return _Shape(label, group, box=box)
    if kind == 'circle' and len(points) == 2:
        radius = math.dist(*points)
        return _Shape(label, group, polygon=ellipse(*points[0], radius, radius))
    if kind == 'mask' and len(points) == 2:
        return _Shape(label, group, pixels=_pixels(shape.get('mask'), points, size))
    if kind in ('polygon', 'rectangle', 'oriented_rectangle') and len(points) > 2:
        return _Shape(label, group, polygon=[value for point in points for value in point])
    raise ValueError(f'unexpected shape_type {kind!r:.40} with {len(points)} points')


def _points(points: Any) -> list[tuple[float, float]]:
    if not isinstance(points, list):
        raise ValueError(f"expected a list as 'points', got {json_type(points)}")
    for point in points:
        valid = isinstance(point, list) and len(point) == 2
        if not valid or not all(type(v) in (int, float) and abs(v) < 1e9 for v in point):
            raise ValueError(f'expected points as [x, y], got {point!r:.60}')
    return [(float(x), float(y)) for x, y in points]


def _pixels(
    text: Any, points: list[tuple[float, float]], size: tuple[int, int] | None
) -> NDArray[np.bool_]:
    """Decode a mask's PNG, and put it where its first point says."""
    if size is None:
        raise ValueError('a mask needs imageWidth and imageHeight')
    check_size(size)
    try:
        content = base64.b64decode(text, validate=True)
        with Image.open(io.BytesIO(content), formats=['PNG']) as image:
            if image.size[0] > size[0] + 1 or image.size[1] > size[1] + 1:
                raise ValueError(f'it has {image.size} pixels, in an image of {size}')
            mask = np.asarray(image)
    except FAILURES as error:
        raise ValueError(f"expected a PNG image in base64 as 'mask': {error}") from None
    if mask.ndim != 2:
        raise ValueError('expected a mask of one channel')
    (left, top), _ = points
    return paste(mask.astype(bool), int(left), int(top), size)


def _merged(members: list[_Shape], size: tuple[int, int] | None) -> tuple[Box, Segmentation | None]:
    """Return the box and the mask of an object of one shape or several."""
    if len(members) == 1 and members[0].box is not None:
        return members[0].box, None
    polygons = [member.polygon for member in members if member.polygon is not None]
    polygons += [rectangle(*member.box) for member in members if member.box is not None]
    pixels = [member.pixels for member in members if member.pixels is not None]
    if not pixels:
        return enclosing_box(polygons), polygons
    mask = np.logical_or.reduce(pixels)
    if polygons and size is not None:
        mask |= rasterised(polygons, size)
    return mask_box(mask), run_lengths(mask)
