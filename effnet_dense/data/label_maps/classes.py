"""classes.json: names of a label map's values, and the value of pixels without a class."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from effnet_dense.data.findings import duplicates, json_type
from effnet_dense.data.label_maps.decode import MAX_VALUE, NO_CLASS

CLASSES_FILE = 'classes.json'
EXPECTED_CLASSES = '{"classes": ["first", "second", …], "ignore": 255}, "ignore" is optional'


@dataclass(frozen=True)
class LabelClasses:
    """Names of the values 0, 1, … of a label map, and the value of pixels without a class."""

    names: tuple[str, ...]
    ignore: int | None = None


def read_classes(path: Path) -> LabelClasses:
    """Read a classes.json.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: Not JSON, or not like `EXPECTED_CLASSES`.
    """
    if not path.is_file():
        raise FileNotFoundError(f'expected {path} with {EXPECTED_CLASSES}; there is none')
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    if not isinstance(data, dict) or 'classes' not in data:
        got = f'the keys {sorted(data)}' if isinstance(data, dict) else json_type(data)
        raise ValueError(f'{path}: expected {EXPECTED_CLASSES}, got {got}')
    names = _check_names(data['classes'], path)
    return LabelClasses(names, _check_ignore(data.get('ignore'), len(names), path))


def _check_names(names: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(names, list):
        raise ValueError(f"{path}: 'classes' must be a list of names, got {json_type(names)}")
    wrong = [f'position {i}: {name!r:.60}' for i, name in enumerate(names) if not _is_name(name)]
    if wrong:
        raise ValueError(f"{path}: 'classes' must be names, got {', '.join(wrong[:3])}")
    if repeated := duplicates(names):
        raise ValueError(f"{path}: 'classes' repeats names: {', '.join(repeated)}")
    if not 2 <= len(names) <= NO_CLASS:
        raise ValueError(
            f"{path}: expected 2 to {NO_CLASS} 'classes' (a background counts as one), "
            f'got {len(names)}'
        )
    return tuple(names)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.strip() != ''


def _check_ignore(value: Any, classes: int, path: Path) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MAX_VALUE:
        raise ValueError(f"{path}: 'ignore' must be null or a pixel value, got {value!r:.60}")
    if value < classes:
        raise ValueError(
            f"{path}: 'ignore' is {value}, which is also a class: 'classes' has "
            f'{classes} names, for the values 0 to {classes - 1}'
        )
    return value
