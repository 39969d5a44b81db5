"""Fill in images' missing sizes from their files, and turn sizes that ignore the orientation.

A size that differs from the file's in any other way stays: the boxes may be of another image or
scale, which is an error of the check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from effnet_dense.data.image_files import UNREADABLE, image_size, size_name
from effnet_dense.data.normalise.numbers import as_integer, is_number
from effnet_dense.data.normalise.repairs import Record, RepairLog, image_name, rewritten
from effnet_dense.data.record_sizes import swap_hint
from effnet_dense.utils.progress import track

Size = tuple[int, int]

SIDES = ('width', 'height')
THREADS = 4

PROBED = 256
"""Headers that are read to find sizes that ignore the orientation; a smaller part is read."""


def repair_sizes(
    images: list[Record], paths: Sequence[Path | None], upright: bool, log: RepairLog
) -> list[Record]:
    """Fill in sizes that are missing or no numbers.

    Args:
        images: Left unchanged.
        paths: Each image's file; None if it is missing.
        upright: Images are loaded as their EXIF orientation says.
        log: Collects the repairs.

    Returns:
        The images; the same list if none is repaired.
    """
    stated = [_stated(image) for image in images]
    unknown = [i for i, size in enumerate(stated) if size is None and paths[i] is not None]
    read = dict(zip(unknown, read_sizes([paths[i] for i in unknown], upright), strict=True))

    def change(index: int, record: Record) -> Record | None:
        size = stated[index] or read.get(index)
        if size is None or ((record.get('width'), record.get('height')) == size and _typed(record)):
            return None
        what = 'size, now of integers' if stated[index] else "size, from the image's header"
        log.add(what, f'{image_name(index, record)}: {size_name(*size)}')
        return {**record, 'width': size[0], 'height': size[1]}

    return rewritten(images, change)


def _typed(record: Record) -> bool:
    """Whether a size is of integers, or of fractions, which are not repaired."""
    return all(type(record[key]) is int or record[key] % 1 for key in SIDES)


def _stated(record: Record) -> Size | None:
    """Return the size that a record has, in whatever form, as integers; None if it has none."""
    sides = [as_integer(record.get(key)) for key in SIDES]
    if None in sides and all(is_number(record.get(key)) for key in SIDES):
        return _positive(record['width'], record['height'])  # fractions, which are not repaired
    return _positive(*sides)


def _positive(width: Any, height: Any) -> Size | None:
    return None if width is None or height is None or min(width, height) <= 0 else (width, height)


def read_sizes(paths: Sequence[Path | None], upright: bool) -> list[Size | None]:
    """Read sizes from headers; None for images that cannot be read, which the check names."""

    def read(path: Path | None) -> Size | None:
        try:
            return None if path is None else image_size(path, upright)
        except UNREADABLE:
            return None

    if len(paths) <= 1:
        return [read(path) for path in paths]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(track(pool.map(read, paths), 'Reading image sizes', len(paths)))


def turn_sizes(
    data: Record, paths: Sequence[Path | None], upright: bool, log: RepairLog
) -> list[Record]:
    """Swap sizes that were read without the EXIF orientation, where boxes show that they are not.

    Some tools show images upright, but export the size in the file. Then some boxes exceed the
    stated size, and fit the swapped one. Where no box tells, or boxes are those of the image
    before its rotation, sizes stay: an error of the check.
    """
    images = data['images']
    turned = _turned(images, paths, upright, _spread(len(images)))
    if not turned:
        return images
    turned = _turned(images, paths, upright, range(len(images)))
    ids = {images[i].get('id'): i for i in turned if type(images[i].get('id')) is int}
    votes = {
        _vote(entry.get('bbox'), images[ids[entry['image_id']]])
        for entry in data['annotations']
        if type(entry.get('image_id')) is int and entry['image_id'] in ids
    }
    if votes - {''} != {'upright'}:
        return images

    def change(index: int, record: Record) -> Record | None:
        if index not in turned:
            return None
        what = 'size before the EXIF orientation, swapped: its boxes are of the upright image'
        log.add(what, f'{image_name(index, record)}: {size_name(*turned[index])}')
        return {**record, 'width': record['height'], 'height': record['width']}

    return rewritten(images, change)


def _spread(count: int) -> range:
    return range(0, count, max(1, count // PROBED))


def _turned(
    images: Sequence[Record], paths: Sequence[Path | None], upright: bool, indices: Iterable[int]
) -> Mapping[int, Size]:
    """Find images whose record has the size before the orientation: position → loaded size."""
    chosen = [i for i in indices if paths[i] is not None] if upright else []
    found = {}
    for index, size in zip(chosen, read_sizes([paths[i] for i in chosen], upright), strict=True):
        stated = images[index].get('width'), images[index].get('height')
        if size is None or size == stated or size[::-1] != stated:
            continue
        if swap_hint(paths[index] or '', size, stated):
            found[index] = size
    return found


def _vote(box: Any, image: Record) -> str:
    """Say in which orientation of its image alone a box fits: 'stored', 'upright', or '' for both.

    Args:
        box: COCO's.
        image: Its width and height are the stored ones.
    """
    if type(box) is not list or len(box) != 4 or not all(map(is_number, box)):
        return ''
    right, bottom = box[0] + box[2], box[1] + box[3]
    width, height = image['width'], image['height']
    stored = right <= width + 1 and bottom <= height + 1
    upright = right <= height + 1 and bottom <= width + 1
    return '' if stored == upright else ('stored' if stored else 'upright')
