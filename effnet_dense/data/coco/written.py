"""Write repaired parts of a dataset as COCO JSON files, and the report of what was repaired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from effnet_dense.data.normalise import NormalPart
from effnet_dense.data.normalise.repairs import Record
from effnet_dense.utils.atomic import atomic_write
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.outputs import claim
from effnet_dense.utils.progress import activity

REPORT = 'data_report.json'

CHUNK = 10_000
"""Records that are formatted at once: COCO's file as one text would need 2 GB."""


def write_part(part: NormalPart, path: Path) -> Path:
    """Write a part's records atomically; several processes may write the same ones at once.

    Raises:
        FileExistsError: The package did not write what is there.
    """
    with activity(f'Writing {path.name}'):
        if not _is_written(part.data, path):
            atomic_write(claim(path), json_chunks(part.data), fsync=False)
    return path


def _is_written(data: Record, path: Path) -> bool:
    """Whether a file has this content already: others may be reading it."""
    if not path.is_file():
        return False
    with path.open('rb') as file:
        same = all(file.read(len(text)) == text for text in map(str.encode, json_chunks(data)))
        return same and not file.read(1)


def json_chunks(data: Record) -> Iterator[str]:
    """Format an object whose values may be long lists, in parts."""
    start = '{'
    for key, value in data.items():
        yield f'{start}{json_text(key)}: '
        start = ', '
        if isinstance(value, list) and len(value) > CHUNK:
            for i in range(0, len(value), CHUNK):
                yield ('[' if i == 0 else ', ') + json_text(value[i : i + CHUNK])[1:-1]
            yield ']'
        else:
            yield json_text(value)
    yield '}' if data else '{}'


def write_report(content: Mapping[str, Any], folder: Path) -> Path:
    """Write what was found, repaired and warned of, as data_report.json."""
    path = claim(folder / REPORT)
    atomic_write(path, json_text(content, indent=1), fsync=False)
    return path


def as_json(record: Any) -> Any:
    """Convert a dataclass of plain values for a report."""
    return asdict(record)
