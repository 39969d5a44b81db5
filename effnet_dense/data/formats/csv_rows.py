"""Columns of tables of boxes, by the names that people give them, and their lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from effnet_dense.data.formats.shapes import Box
from effnet_dense.data.formats.text import finite_number
from effnet_dense.data.image_files import IMAGE_SUFFIXES

NAMES: dict[str, tuple[str, ...]] = {
    'image': (
        *('filename', 'imageid', 'imagename', 'imagepath', 'image', 'filepath', 'file', 'path'),
        *('img', 'imgname', 'imgpath', 'imageuri', 'imgid'),
    ),
    'label': (
        *('class', 'label', 'classname', 'labelname', 'category', 'categoryname', 'classlabel'),
        *('name', 'classid', 'categoryid', 'labelid'),
    ),
    'left': ('xmin', 'x1', 'left', 'xtl', 'x0', 'bboxxmin', 'bboxx1', 'minx'),
    'top': ('ymin', 'y1', 'top', 'ytl', 'y0', 'bboxymin', 'bboxy1', 'miny'),
    'right': ('xmax', 'x2', 'right', 'xbr', 'x1', 'bboxxmax', 'bboxx2', 'maxx'),
    'bottom': ('ymax', 'y2', 'bottom', 'ybr', 'y1', 'bboxymax', 'bboxy2', 'maxy'),
    'x': ('x', 'bboxx', 'xmin', 'left', 'x1'),
    'y': ('y', 'bboxy', 'ymin', 'top', 'y1'),
    'w': ('w', 'bboxwidth', 'boxwidth', 'bboxw', 'width'),
    'h': ('h', 'bboxheight', 'boxheight', 'bboxh', 'height'),
    'box': ('bbox', 'box', 'boundingbox'),
    'part': ('split', 'set', 'subset', 'part', 'usage', 'partition'),
    'crowd': ('isgroupof', 'iscrowd'),
    'image_width': ('imagewidth', 'imgwidth', 'width'),
    'image_height': ('imageheight', 'imgheight', 'height'),
}
"""Role → names of its column, in lower case without separators, the most telling first."""

CORNERS = ('left', 'top', 'right', 'bottom')
SIDES = ('x', 'y', 'w', 'h')
MIXED_UP = {'x0', 'y0'}
"""With these, x1 and y1 are the right lower corner."""


@dataclass(frozen=True)
class Columns:
    """Where a table has what.

    Attributes:
        at: Role → column.
        kind: 'corners', 'sides', or 'box' for a list in one column.
        header: The first line names the columns.
    """

    at: Mapping[str, int]
    kind: str
    header: bool = True


@dataclass(frozen=True)
class Row:
    """A line: an image, and a box [x, y, width, height] unless the image has none."""

    image: str
    box: Box | None
    label: str = ''
    part: str = ''
    size: tuple[int, int] | None = None
    crowd: bool = False


def columns_of(cells: Sequence[str]) -> Columns | None:
    """Recognise a table by its first line; None if it has no boxes of images."""
    names = [re.sub(r'[^a-z0-9]', '', cell.lower()) for cell in cells]
    image = _first(names, 'image', set())
    if image is None:
        return _headless(cells)
    for kind, roles in (('corners', CORNERS), ('sides', SIDES), ('box', ('box',))):
        taken = {image}
        at = {'image': image}
        for role in roles:
            skip = MIXED_UP & set(names) and role in ('left', 'top')
            found = _first(names, role, taken, {'x1', 'y1'} if skip else set())
            if found is not None:
                at[role] = found
                taken.add(found)
        if all(role in at for role in roles):
            for role in ('label', 'part', 'crowd', 'image_width', 'image_height'):
                found = _first(names, role, taken)
                if found is not None:
                    at[role] = found
            return Columns(at, kind)
    return None


def _first(
    names: Sequence[str], role: str, taken: set[int], but: set[str] | None = None
) -> int | None:
    for name in NAMES[role]:
        if name in names and names.index(name) not in taken and name not in (but or ()):
            return names.index(name)
    return None


def _headless(cells: Sequence[str]) -> Columns | None:
    """Recognise RetinaNet's lines: an image, four numbers or nothing, a class."""
    if len(cells) != 6 or PurePosixPath(cells[0].strip()).suffix.lower() not in IMAGE_SUFFIXES:
        return None
    if any(cell.strip() for cell in cells[1:]):
        try:
            [float(cell) for cell in cells[1:5]]
        except ValueError:
            return None
    at = {role: i for i, role in enumerate(('image', *CORNERS, 'label'))}
    return Columns(at, 'corners', header=False)


def read_row(cells: Sequence[str], columns: Columns) -> Row:
    """Read a line.

    Raises:
        ValueError: A column is missing, or is no number.
    """
    if len(cells) <= max(columns.at.values()):
        raise ValueError(
            f'expected {max(columns.at.values()) + 1} columns or more, got {len(cells)}'
        )
    texts = {role: cells[i].strip() for role, i in columns.at.items()}
    if not texts['image'] or '\0' in texts['image']:
        raise ValueError('the name of the image is missing')
    return Row(
        image=texts['image'],
        box=_box(texts, columns.kind),
        label=texts.get('label', ''),
        part=texts.get('part', ''),
        size=_size(texts),
        crowd=texts.get('crowd', '').lower() in ('1', 'true'),
    )


def _box(texts: Mapping[str, str], kind: str) -> Box | None:
    """Return x, y, width and height; None for an image without objects."""
    if kind == 'box':
        words = re.split(r'[\s,;]+', texts['box'].strip('[](){} '))
        if words in ([''], ['nan'], ['no', 'box'], ['no_box']):
            return None
        if len(words) != 4:
            raise ValueError(f'expected [x, y, width, height], got {texts["box"][:40]!r}')
        x, y, w, h = (finite_number(word, 'as bbox') for word in words)
        return x, y, w, h
    roles = CORNERS if kind == 'corners' else SIDES
    if not any(texts[role] for role in roles):
        return None
    a, b, c, d = (finite_number(texts[role], f'as {role}') for role in roles)
    return (a, b, c - a, d - b) if kind == 'corners' else (a, b, c, d)


def _size(texts: Mapping[str, str]) -> tuple[int, int] | None:
    sides = [texts.get('image_width', ''), texts.get('image_height', '')]
    whole = [side.removesuffix('.0') for side in sides]
    if not all(side.isdecimal() and len(side) < 9 and int(side) for side in whole):
        return None
    return int(whole[0]), int(whole[1])
