"""Recognise COCO's JSON files by their first bytes, and read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from effnet_dense.data.findings import json_type
from effnet_dense.data.formats.text import MAX_BYTES, read_json
from effnet_dense.utils.progress import activity
from effnet_dense.utils.regular_files import open_regular

KEYS = ('images', 'annotations', 'categories')

HEAD = 2**16
"""Bytes at a file's start and end by which it is recognised."""

OTHER_PREFIXES = ('person_keypoints', 'captions', 'stuff', 'panoptic', 'image_info')
OTHER_WORDS = ('keypoints', 'captions', 'stuff', 'panoptic')


def other_task(path: Path) -> bool:
    """Whether a file is called like those of COCO's tasks other than instances."""
    stem = path.stem.lower()
    return stem.startswith(OTHER_PREFIXES) or any(f'_{word}' in stem for word in OTHER_WORDS)


def missing_keys(path: Path) -> list[str]:
    """List the keys of COCO's records that are not in a file's first and last bytes.

    Returns:
        None of them if the file is that large that keys may lie between, and has one at least.
    """
    text = ends_of(path)
    missing = [key for key in KEYS if f'"{key}"' not in text]
    if len(missing) == len(KEYS) or '"shapes"' in text:
        return missing
    return [] if path.stat().st_size > 2 * HEAD else missing


def ends_of(path: Path) -> str:
    """Return the text at a file's start and end; '' if it cannot be read."""
    try:
        with open_regular(path) as file:
            content = file.read(HEAD)
            file.seek(0, 2)
            if file.tell() > HEAD:
                file.seek(max(HEAD, file.tell() - HEAD))
                content += file.read(HEAD)
    except (OSError, ValueError):
        return ''
    return content.replace(b'\0', b'').decode('utf-8', 'replace')  # UTF-16's ASCII, too


def read_coco_json(path: Path) -> tuple[dict[str, Any], str]:
    """Read a COCO JSON file: {'images': [dict], 'annotations': [dict], 'categories': [dict]}.

    Returns:
        Its content, and the name of its encoding.

    Raises:
        ValueError: It is not JSON, or lacks lists of objects under these keys.
    """
    with activity(f'Reading {path.name}'):
        data, encoding = read_json(path, MAX_BYTES)
    if not isinstance(data, dict):
        raise ValueError(f'{path}: expected an object with {KEYS}, got {json_type(data)}')
    missing = [key for key in KEYS if key not in data]
    if missing:
        raise ValueError(f'{path}: the keys {missing} are missing; it has {sorted(data)[:20]}')
    for key in KEYS:
        _check_list(data[key], key, path)
    return data, encoding


def _check_list(records: object, key: str, path: Path) -> None:
    if not isinstance(records, list):
        raise ValueError(f'{path}: {key!r} must be a list, got {json_type(records)}')
    wrong = next((i for i, record in enumerate(records) if type(record) is not dict), None)
    if wrong is not None:
        got = json_type(records[wrong])
        raise ValueError(f'{path}: {key}[{wrong}] must be an object, got {got}')
