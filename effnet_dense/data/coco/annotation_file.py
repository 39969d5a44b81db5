"""Read an annotation file in COCO's format, and reject files with any other structure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from effnet_dense.data.findings import duplicates, json_type
from effnet_dense.data.transforms.loading import LoadImageFromFile

Record = dict[str, Any]

KEYS = ('images', 'annotations', 'categories')


@dataclass(frozen=True)
class CocoSplit:
    """A split of a dataset: its annotation file and the folder of its images.

    `loader` loads them as training or evaluation does. `source` is what messages quote in place of
    an annotation file that was made from it.
    """

    ann_file: Path
    image_dir: Path
    loader: LoadImageFromFile = field(default_factory=LoadImageFromFile, repr=False, compare=False)
    source: Path | None = field(default=None, repr=False, compare=False)

    @property
    def quoted(self) -> Path:
        """The file that messages name."""
        return self.source or self.ann_file


def read_coco(ann_file: Path) -> Record:
    """Read a COCO JSON file: {'images': [dict], 'annotations': [dict], 'categories': [dict]}.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is empty, not JSON, or lacks lists of objects under these keys.
    """
    if not ann_file.is_file():
        raise FileNotFoundError(f'expected the annotation file {ann_file}, which does not exist')
    if ann_file.stat().st_size == 0:
        raise ValueError(f'{ann_file} is empty; expected COCO annotations in JSON')
    try:
        with ann_file.open(encoding='utf-8') as file:
            data = json.load(file, object_pairs_hook=_no_repeats)
    except json.JSONDecodeError as error:
        place = f'line {error.lineno}, column {error.colno}'
        raise ValueError(f'{ann_file} is not valid JSON: {error.msg} at {place}') from error
    except (ValueError, RecursionError) as error:  # not UTF-8, a huge number, nested too deeply
        raise ValueError(f'{ann_file} is not valid JSON: {error}') from error
    _check_structure(data, ann_file)
    return data


def _no_repeats(pairs: list[tuple[str, Any]]) -> Record:
    """Build a JSON object; Python would drop all but the last value of a repeated key."""
    record = dict(pairs)
    if len(record) < len(pairs):
        repeated = duplicates(key for key, _ in pairs)
        raise ValueError(f'an object repeats keys: {", ".join(repeated)}')
    return record


def _check_structure(data: object, ann_file: Path) -> None:
    if not isinstance(data, dict):
        raise ValueError(f'{ann_file}: expected an object with {KEYS}, got {json_type(data)}')
    missing = [key for key in KEYS if key not in data]
    if missing:
        raise ValueError(f'{ann_file}: the keys {missing} are missing; it has {sorted(data)[:20]}')
    for key in KEYS:
        if not isinstance(data[key], list):
            raise ValueError(f'{ann_file}: {key!r} must be a list, got {json_type(data[key])}')
        wrong = next((i for i, record in enumerate(data[key]) if type(record) is not dict), None)
        if wrong is not None:
            got = json_type(data[key][wrong])
            raise ValueError(f'{ann_file}: {key}[{wrong}] must be an object, got {got}')
