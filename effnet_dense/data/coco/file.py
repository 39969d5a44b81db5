"""COCO's JSON file: read, and its records' fields verified one by one.

Raises errors for what is not in COCO's format as a whole, and lists single faulty records.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Record = dict[str, Any]
Severity = Literal['error', 'warning', 'note']
Fields = dict[str, tuple[Callable[[object], bool], str]]
"""Field → (is the value right?, what was expected)."""

EXAMPLES = 3
"""Faulty records that are quoted of each kind."""

LIMIT = 1e9
"""Numbers beyond it are no pixels; keeps infinities and NaN out, too."""


@dataclass(frozen=True)
class Finding:
    """One kind of fault in a split: how often it occurs, and the first examples."""

    severity: Severity
    what: str
    count: int
    examples: tuple[str, ...] = ()
    missing_files: bool = False

    def __str__(self) -> str:
        quoted = f': {", ".join(self.examples)}' if self.examples else ''
        more = ', …' if self.examples and self.count > len(self.examples) else ''
        return f'{self.severity}: {self.count} × {self.what}{quoted}{more}'


def list_finding(
    severity: Severity, what: str, examples: Sequence[str], missing_files: bool = False
) -> list[Finding]:
    """One finding, or none when there is no example."""
    if not examples:
        return []
    return [Finding(severity, what, len(examples), tuple(examples[:EXAMPLES]), missing_files)]


def duplicates(values: Iterable[Any]) -> list[str]:
    """The values that occur more than once, and how often."""
    return [f'{value!r} ({n} times)' for value, n in Counter(values).items() if n > 1]


def read_coco(ann_file: Path) -> Record:
    """Read a COCO JSON file: {'images': [dict], 'annotations': [dict], 'categories': [dict]}.

    Raises:
        FileNotFoundError: no such file.
        ValueError: empty, no JSON, or not lists of objects under these three keys.
    """
    if not ann_file.is_file():
        raise FileNotFoundError(f'expected the annotation file {ann_file}, which does not exist')
    if ann_file.stat().st_size == 0:
        raise ValueError(f'{ann_file} is empty; expected COCO annotations in JSON')
    try:
        with ann_file.open(encoding='utf-8') as file:
            data = json.load(file)
    except json.JSONDecodeError as error:
        place = f'line {error.lineno}, column {error.colno}'
        raise ValueError(f'{ann_file} is not valid JSON: {error.msg} in {place}') from error
    except (ValueError, RecursionError) as error:  # no UTF-8, endless digits, too deep
        raise ValueError(f'{ann_file} is not valid JSON: {error}') from error
    _check_structure(data, ann_file)
    return data


def _check_structure(data: object, ann_file: Path) -> None:
    keys = ('images', 'annotations', 'categories')
    if not isinstance(data, dict):
        raise ValueError(f'{ann_file}: expected an object with {keys}, got a {json_type(data)}')
    missing = [key for key in keys if key not in data]
    if missing:
        raise ValueError(f'{ann_file}: the keys {missing} are missing, it has {sorted(data)[:20]}')
    for key in keys:
        if not isinstance(data[key], list):
            raise ValueError(f'{ann_file}: {key!r} must be a list, got a {json_type(data[key])}')
        wrong = next((i for i, record in enumerate(data[key]) if type(record) is not dict), None)
        if wrong is not None:
            got = json_type(data[key][wrong])
            raise ValueError(f'{ann_file}: {key}[{wrong}] must be an object, got a {got}')


def json_type(value: object) -> str:
    """JSON's name of a value's type."""
    names = {dict: 'object', list: 'list', str: 'string', bool: 'boolean', type(None): 'null'}
    return names.get(type(value), 'number')


def _is_int(value: object) -> bool:
    return type(value) is int  # a boolean is none


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and -LIMIT < value < LIMIT  # type: ignore[operator]


def _is_positive(value: object) -> bool:
    return _is_number(value) and value > 0  # type: ignore[operator]


def _is_name(value: object) -> bool:
    return type(value) is str and value != '' and '\0' not in value


def _is_box(value: object) -> bool:
    return type(value) is list and len(value) == 4 and all(map(_is_number, value))


def _is_mask(value: object) -> bool:
    return type(value) in (list, dict) and len(value) > 0  # type: ignore[arg-type]


def _is_flag(value: object) -> bool:
    return value in (0, 1)


IMAGE_FIELDS: Fields = {
    'id': (_is_int, 'an integer'),
    'file_name': (_is_name, 'a file name'),
    'width': (_is_positive, 'a positive number of pixels'),
    'height': (_is_positive, 'a positive number of pixels'),
}
CATEGORY_FIELDS: Fields = {'id': (_is_int, 'an integer'), 'name': (_is_name, 'a name')}
ANNOTATION_FIELDS: Fields = {
    'id': (_is_int, 'an integer'),
    'image_id': (_is_int, 'an integer'),
    'category_id': (_is_int, 'an integer'),
    'bbox': (_is_box, 'four finite numbers [x, y, width, height]'),
    'area': (_is_number, 'a finite number'),
}
EVALUATION_FIELDS: Fields = {'iscrowd': (_is_flag, '0 or 1, which evaluation reads')}
MASK_FIELDS: Fields = {'segmentation': (_is_mask, 'polygons or an RLE mask')}


def sound_records(
    records: list[Record], key: str, fields: Fields
) -> tuple[list[Record], list[Finding]]:
    """Split off the records that lack a field or hold a wrong value in it."""
    faulty: set[int] = set()
    findings: list[Finding] = []
    for field, (is_right, expected) in fields.items():
        wrong = [i for i, record in enumerate(records) if not is_right(record.get(field))]
        examples = [f'{key}[{i}] has {_quote(records[i], field)}' for i in wrong[:EXAMPLES]]
        if wrong:
            what = f'{field!r} of {key} is not {expected}'
            findings.append(Finding('error', what, len(wrong), tuple(examples)))
        faulty.update(wrong)
    return [record for i, record in enumerate(records) if i not in faulty], findings


def _quote(record: Record, field: str) -> str:
    return f'{record[field]!r:.60}' if field in record else 'none'
