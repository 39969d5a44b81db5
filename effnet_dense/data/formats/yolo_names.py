"""Read what a YOLO dataset says of its classes and parts: data.yaml, obj.data, classes.txt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from effnet_dense.data.formats.text import read_text

MAX_BYTES = 4 * 2**20
NAME_FILES = ('classes.txt', 'obj.names', 'classes.names', 'names.txt', 'predefined_classes.txt')
"""Files with one class name a line: Label Studio's and labelImg's, darknet's and CVAT's."""

PARTS = {'train': 'train', 'val': 'val', 'valid': 'val', 'validation': 'val', 'test': 'test'}
"""Key of data.yaml and obj.data → part."""


@dataclass(frozen=True)
class YoloNames:
    """Classes and parts of a dataset.

    Attributes:
        names: Class index → name; None if there is no list of names.
        parts: 'train', 'val', 'test' → folders of images or lists of images, as written.
        base: The folder that these are relative to, as written.
        keypoints: Numbers for keypoints after each box.
    """

    names: Mapping[int, str] | None = None
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    base: str = ''
    keypoints: int = 0


def read_yaml(path: Path) -> YoloNames | None:
    """Read data.yaml; None if it is no dataset's.

    All values are read as text, so that classes called 'no' or '1' keep their names.

    Raises:
        ValueError: It is not YAML, or its values contradict each other.
    """
    try:
        content = yaml.load(read_text(path, MAX_BYTES), Loader=yaml.BaseLoader)  # plain text only
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f'{path} is not valid YAML: {_one_line(error)}') from error
    if not isinstance(content, dict) or 'names' not in content:
        return None
    names = _names(content['names'], path)
    count = content.get('nc')
    if count is not None and _integer(count) != (len(names) if names else 0):
        raise ValueError(f'{path}: nc differs from the number of names, {len(names)}')
    parts = {
        part: _entries(content[key], key, path)
        for key, part in PARTS.items()
        if content.get(key) not in (None, '', 'null', '~')
    }
    base = content.get('path', '')
    return YoloNames(names, parts, base if isinstance(base, str) else '', _keypoints(content, path))


def _names(names: Any, path: Path) -> dict[int, str]:
    if isinstance(names, dict):
        found = {_integer(key): name for key, name in names.items()}
    else:
        found = dict(enumerate(names)) if isinstance(names, list) else {None: ''}
    if not all(isinstance(key, int) for key in found):
        raise ValueError(f'{path}: expected names as a list, or as INDEX: NAME')
    wrong = [key for key, name in found.items() if not isinstance(name, str) or not name]
    if wrong:
        raise ValueError(f'{path}: expected a text as the name of class {wrong[0]}')
    return dict(sorted((int(key or 0), str(name)) for key, name in found.items()))


def _entries(value: Any, key: str, path: Path) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, str) and entry and '\0' not in entry for entry in values):
        raise ValueError(f'{path}: expected a path or a list of paths as {key!r}')
    return tuple(values)


def _keypoints(content: Mapping[str, Any], path: Path) -> int:
    shape = content.get('kpt_shape')
    if shape is None:
        return 0
    sides = [_integer(side) for side in shape] if isinstance(shape, list) else []
    if len(sides) != 2 or sides[0] is None or sides[1] not in (2, 3):
        raise ValueError(f'{path}: expected kpt_shape as [number, 2 or 3]')
    return sides[0] * sides[1]


def _integer(text: Any) -> int | None:
    """Read a number of up to nine digits; None for anything else."""
    plain = isinstance(text, str) and text.strip().isdecimal() and len(text.strip()) < 10
    return int(text) if plain else None


def read_darknet(path: Path) -> dict[str, str]:
    """Read obj.data: lines KEY = VALUE."""
    pairs = (line.partition('=') for line in read_text(path, MAX_BYTES).splitlines())
    return {key.strip(): value.strip() for key, sign, value in pairs if sign}


def read_names(path: Path) -> dict[int, str]:
    """Read a file with one class name a line; empty lines at the end do not count."""
    lines = [line.strip() for line in read_text(path, MAX_BYTES).rstrip().splitlines()]
    if not lines or '' in lines:
        where = f'line {lines.index("") + 1} is empty' if lines else 'it is empty'
        raise ValueError(f'{path}: expected a class name in each line, but {where}')
    return dict(enumerate(lines))


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())[:200]
