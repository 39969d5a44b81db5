"""Tables of classes that annotation tools write next to label maps → `LabelClasses`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from effnet_dense.data.label_maps.classes import IGNORE, LabelClasses, named
from effnet_dense.data.label_maps.colours import parse_colour
from effnet_dense.data.label_maps.decode import NO_CLASS

IGNORED_NAMES = ('__ignore__', 'ignore', 'void', 'unlabelled', 'unlabeled')
"""Names by which these tools mean pixels without a class."""


def read_table(folder: Path) -> tuple[LabelClasses, Path] | None:
    """Find and read a tool's table in a folder; None if there is none.

    Raises:
        ValueError: The table is not as the tool writes it.
    """
    names = {path.name.lower(): path for path in folder.iterdir() if path.is_file()}
    for name, read in TABLES.items():
        if name in names:
            path = names[name]
            try:
                found = read(path.read_text(encoding='utf-8-sig'))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f'{path} cannot be read as a table of classes: {error}') from error
            if found is not None:
                return found, path
    return None


def _cvat(text: str) -> LabelClasses:
    """labelmap.txt of CVAT's "Segmentation mask": `label:color_rgb:parts:actions`."""
    colours: dict[int, str | None] = {}
    for line in _lines(text):
        name, colour = line.split(':')[:2]
        colours[_colour(colour)] = _name(name)
    return named(colours, coloured=True)


def _roboflow(text: str) -> LabelClasses:
    """_classes.csv of Roboflow's "Semantic Segmentation Masks": `Pixel Value, Class`."""
    values: dict[int, str | None] = {}
    for row in _rows(text):
        values[int(row['pixel value'])] = _name(row['class'])
    return named(values, coloured=False)


def _class_dict(text: str) -> LabelClasses:
    """class_dict.csv as Kaggle's CamVid and DeepGlobe have it: `name,r,g,b`."""
    colours: dict[int, str | None] = {}
    for row in _rows(text):
        red, green, blue = (row[key] for key in 'rgb')
        colours[_colour(f'{red},{green},{blue}')] = _name(row['name'])
    return named(colours, coloured=True)


def _camvid(text: str) -> LabelClasses:
    """label_colors.txt of CamVid and of CVAT's export in its format: `r g b name`."""
    colours: dict[int, str | None] = {}
    for line in _lines(text):
        red, green, blue, name = line.split(maxsplit=3)
        colours[_colour(f'{red},{green},{blue}')] = _name(name)
    return named(colours, coloured=True)


def _supervisely(text: str) -> LabelClasses | None:
    """meta.json of Supervisely: {"classes": [{"title": …, "color": "#…"}]}."""
    content: Any = json.loads(text)
    if not isinstance(content, dict) or not isinstance(content.get('classes'), list):
        return None
    colours: dict[int, str | None] = {}
    for entry in content['classes']:
        colours[_colour(entry['color'])] = _name(entry['title'])
    if 0 not in colours:  # its masks are drawn on black
        colours = {0: 'background', **colours}
    return named(colours, coloured=True)


def _names(text: str) -> LabelClasses:
    """class_names.txt of labelme2voc.py, and other lists of a name per line, for 0, 1, …

    labelme2voc writes its first name, `__ignore__`, as 255.
    """
    names = _lines(text)
    if names and names[0] == '__ignore__':
        return LabelClasses(tuple(names[1:]), NO_CLASS)
    return LabelClasses(tuple(names), NO_CLASS)


TABLES: Mapping[str, Callable[[str], LabelClasses | None]] = {
    'labelmap.txt': _cvat,
    '_classes.csv': _roboflow,
    'class_dict.csv': _class_dict,
    'label_colors.txt': _camvid,
    'meta.json': _supervisely,
    'class_names.txt': _names,
    'classes.txt': _names,
}
"""File name in lower case → how its text is read."""


def _lines(text: str) -> list[str]:
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith('#')]


def _rows(text: str) -> Iterator[dict[str, str]]:
    """Read a CSV file with a header, whose names are compared in lower case without spaces."""
    for row in csv.DictReader(io.StringIO(text), skipinitialspace=True):
        yield {str(key).strip().lower(): str(value).strip() for key, value in row.items()}


def _colour(text: Any) -> int:
    colour = parse_colour(text)
    if colour is None:
        raise ValueError(f'{text!r:.60} is not a colour')
    return colour


def _name(name: str) -> str:
    return IGNORE if name.strip().lower() in IGNORED_NAMES else name.strip()
