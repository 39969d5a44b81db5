"""Read Pascal VOC: one XML file for each image, of the devkit and of tools that export it.

The devkit's coordinates are pixels counted from 1, both ends included: xmin=1, xmax=W is the whole
image (VOC2012 devkit, section 2.1; detectron2's pascal_voc.py). Tools write distances from the
image's corner: CVAT x, y, x + w, y + h with decimals (datumaro's 'dm-zero-based'), labelImg the
same as integers, of which it writes 0 as 1 (libs/labelFile.py). Some of Roboflow's files have both
corners one too large, up to xmax=156 in an image of 155 pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from effnet_dense.data.formats.folders import Folders
from effnet_dense.data.formats.found import FoundData, FoundSplit
from effnet_dense.data.formats.layout import Layout
from effnet_dense.data.formats.parts import UNNAMED, part_of_folder, pick_parts
from effnet_dense.data.formats.records import Records
from effnet_dense.data.formats.shapes import Polygon
from effnet_dense.data.formats.sidecars import ImageNames, Sidecars, find_sidecars, left_out
from effnet_dense.data.formats.text import finite_number, read_text
from effnet_dense.data.formats.xml_file import read_xml, root_tag
from effnet_dense.utils.counted import counted

FORMAT = 'Pascal VOC'
SIDES = ('xmin', 'ymin', 'xmax', 'ymax')
DEVKIT = re.compile(r'VOC|(The )?VOC ?20[0-9]{2}.*', re.IGNORECASE)
"""What the devkit's files, and supervision's, have as folder or database."""


SLIPS = 0.001
"""Share of zeros that may be faults where coordinates count from 1."""


@dataclass(frozen=True)
class _Object:
    name: str
    corners: tuple[float, ...]
    difficult: bool
    polygon: Polygon | None


@dataclass
class _File:
    """An XML file's content."""

    path: Path
    file_name: str = ''
    size: tuple[int, int] | None = None
    folder: str = ''
    database: str = ''
    objects: list[_Object] = field(default_factory=list)

    @property
    def devkit(self) -> bool:
        """Whether it is the devkit's; labelImg names folders, too, and an unknown database."""
        named = DEVKIT.fullmatch(self.folder) is not None and self.database != 'Unknown'
        return named or DEVKIT.fullmatch(self.database) is not None

    def reaches_beyond(self) -> bool:
        """Whether a box ends one pixel beyond the image."""
        limits = None if self.size is None else tuple(side + 1 for side in self.size)
        ends = (entry.corners[2:] for entry in self.objects)
        return limits is not None and any(
            end == limit for corner in ends for end, limit in zip(corner, limits, strict=True)
        )


def locate_voc(root: Path, folders: Folders) -> Layout | None:
    """Find XML files with the root <annotation>, and the lists of ImageSets/Main."""
    found = find_sidecars(root, folders, '.xml', lambda path: root_tag(path) == 'annotation')
    if not found:
        return None
    lists = _lists(root, folders) if set(found) == {UNNAMED} else {}
    parts = _split(found[UNNAMED], lists) if lists else found
    if not parts:
        return None
    place = next(iter(found.values())).base
    return Layout(
        format=FORMAT,
        source=f'{place.relative_to(root).as_posix()}/*.xml',
        parts=frozenset(parts),
        read=lambda: _read(root, folders, parts, 'ImageSets/Main/' if lists else ''),
    )


def _lists(root: Path, folders: Folders) -> dict[str, list[str]]:
    """Read ImageSets/Main/{train,val,test}.txt; trainval is train where that is missing."""
    files = folders(folders.sub(root, 'imagesets', 'main')).with_suffix('.txt')
    lists: dict[str, list[str]] = {}
    for path in files:
        part = 'trainval' if path.stem.lower() == 'trainval' else part_of_folder(path.stem)
        if part is not None:
            lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
            lists.setdefault(part, lines)
    trainval = lists.pop('trainval', None)
    if trainval is not None and 'train' not in lists:
        lists['train'] = trainval
    return lists


def _split(sidecars: Sidecars, lists: Mapping[str, list[str]]) -> dict[str, Sidecars]:
    """Divide files by lists of their names, which may be quoted, or followed by a number."""
    base = sidecars.base
    names = {
        path.relative_to(base).with_suffix('').as_posix().lower(): path for path in sidecars.files
    }
    parts = {}
    for part, lines in lists.items():
        files, missing = [], []
        for line in lines:
            quoted = re.match(r'"([^"]*)"', line)
            forms = [line, quoted[1] if quoted else '', line.rpartition(' ')[0].strip()]
            known = [names[form.lower()] for form in forms if form.lower() in names]
            files += known[:1]
            missing += [] if known else [line]
        if files:
            found = list(dict.fromkeys(files))
            parts[part] = Sidecars(found, sidecars.image_dirs, base, tuple(missing))
    return parts


def _read(root: Path, folders: Folders, parts: Mapping[str, Sidecars], lists: str) -> FoundData:
    names = {
        part: f'{lists}{part}.txt' if lists else f'{sidecars.base.relative_to(root).as_posix()}/'
        for part, sidecars in parts.items()
    }
    picked, remarks = pick_parts(parts, names)
    files: dict[str, list[_File]] = {}
    skipped = []
    for part, sidecars in picked.items():
        contents = {path: _parse(path) for path in sidecars.files}
        files[part] = [content for content in contents.values() if content is not None]
        skipped += [path for path, content in contents.items() if content is None]
    everything = [content for contents in files.values() for content in contents]
    counting, why = _counting(everything)
    classes = sorted({entry.name for content in everything for entry in content.objects})
    splits, matched = {}, []
    for part, sidecars in picked.items():
        names_of_images = ImageNames(folders, sidecars.image_dirs)
        records = _records(files[part], names_of_images, counting)
        splits[part] = FoundSplit(records.coco(classes), sidecars.image_dirs, sidecars.base)
        matched.append(names_of_images)
    remarks += [] if lists else left_out(matched, 'XML file')
    remarks += [
        f'{len(sidecars.missing)} names in {names[part]} have no XML file, as {sidecars.missing[0]}'
        for part, sidecars in picked.items()
        if sidecars.missing
    ]
    remarks += [why, *_counts(everything)]
    remarks += [f'{path.relative_to(root)} is not used' for path in skipped]
    return FoundData(FORMAT, root, splits, tuple(remarks))


def _counts(files: list[_File]) -> Iterator[str]:
    difficult = sum(entry.difficult for content in files for entry in content.objects)
    if difficult:
        yield (
            f"'difficult': {counted(difficult, 'object')}, neither trained on nor evaluated "
            '(iscrowd), as in mmdet'
        )


def _counting(files: list[_File]) -> tuple[tuple[int, int], str]:
    """Decide where coordinates count from.

    Returns:
        What is subtracted from the first corner and from the second, and the reason.
    """
    starts = [value for c in files for entry in c.objects for value in entry.corners[:2]]
    zeros = sum(value < 1 for value in starts)
    if zeros > len(starts) * SLIPS:
        return (0, 0), f'coordinates count from 0: {zeros} are 0'
    if any(content.devkit for content in files):
        return (1, 0), 'coordinates count from 1, as in the VOC devkit, which its files name'
    if any(content.reaches_beyond() for content in files):
        return (1, 1), 'coordinates are 1 too large: none is 0, and boxes end 1 beyond their image'
    return (0, 0), (
        'coordinates count from 0, as most tools write them: nothing in the files names the VOC '
        'devkit, which counts from 1'
    )


def _records(files: list[_File], names: ImageNames, counting: tuple[int, int]) -> Records:
    records = Records()
    first, second = counting
    for content in files:
        name = names.match(content.file_name, content.path.stem)
        image = records.add_image(name, content.size)
        for entry in content.objects:
            left, top, right, bottom = entry.corners
            x, y = left - first, top - first
            box = x, y, right - second - x, bottom - second - y
            polygon = None if entry.polygon is None else [[v - first for v in entry.polygon]]
            records.add(image, entry.name, box, polygon, entry.difficult)
    records.fill_masks()
    return records


def _parse(path: Path) -> _File | None:
    """Read an XML file; None if its root is not <annotation>."""
    content, number = _File(path), 0
    for i, element in enumerate(read_xml(path)):
        if i == 0 and element.tag != 'annotation':
            return None
        if element.tag == 'filename':
            content.file_name = _text(element)
        elif element.tag == 'size':
            content.size = _size(element)
        elif element.tag == 'folder':
            content.folder = _text(element)
        elif element.tag == 'source':
            content.database = _text(element.find('database'))
        elif element.tag == 'object':
            number += 1
            try:
                content.objects.append(_object(element))
            except ValueError as error:
                raise ValueError(f'{path}, object {number}: {error}') from None
    return content


def _object(element: Element) -> _Object:
    name, box = _text(element.find('name')), element.find('bndbox')
    if not name:
        raise ValueError('it has no <name>')
    if box is None:
        raise ValueError('it has no <bndbox>')
    corners = tuple(_number(box.find(side), side) for side in SIDES)
    difficult = _text(element.find('difficult')).lower() in ('1', 'true')
    return _Object(name, corners, difficult, _polygon(element.find('polygon')))


def _polygon(element: Element | None) -> Polygon | None:
    """Read Roboflow's <polygon><x1>…</x1><y1>…</y1>…."""
    if element is None:
        return None
    values = {child.tag: child for child in element}
    count = sum(tag.startswith('x') for tag in values)
    tags = [f'{axis}{i}' for i in range(1, count + 1) for axis in 'xy']
    if count < 3 or set(tags) != set(values):
        return None
    return [_number(values[tag], tag) for tag in tags]


def _size(element: Element) -> tuple[int, int] | None:
    """Read width and height; None for zeros, which some tools write."""
    sides = [_text(element.find(side)) for side in ('width', 'height')]
    width, height = (int(side) if side.isdecimal() and len(side) < 9 else 0 for side in sides)
    return (width, height) if width and height else None


def _number(element: Element | None, tag: str) -> float:
    return finite_number(_text(element), f'in <{tag}>')


def _text(element: Element | None) -> str:
    return '' if element is None or element.text is None else element.text.strip()
