"""Name images whose records have no `file_name`, but the file under another key.

LVIS names files by `coco_url` only, which also says in which of COCO's folders they are: a part of
its `val` is in train2017/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import unquote

from effnet_dense.data.formats.found import FoundSplit
from effnet_dense.data.image_files import IMAGE_SUFFIXES
from effnet_dense.data.normalise.repairs import Record, RepairLog, rewritten

KEYS = ('filename', 'path', 'file', 'name', 'coco_url', 'url')
"""Keys in place of `file_name`, the most likely first."""
SCHEME = re.compile('[A-Za-z][A-Za-z0-9+.-]*')
"""Of a URL (RFC 3986, section 3.1)."""


def name_images(
    parts: Mapping[str, FoundSplit], logs: Mapping[str, RepairLog]
) -> dict[str, FoundSplit]:
    """Give each image without a `file_name` the one that it has under another key.

    Args:
        parts: The dataset's; their records are left unchanged.
        logs: Part → collects its repairs.
    """
    return {part: _named(split, logs[part]) for part, split in parts.items()}


def _named(split: FoundSplit, log: RepairLog) -> FoundSplit:
    def change(index: int, record: Record) -> Record | None:
        if record.get('file_name') not in (None, ''):
            return None
        key, name = stated_name(record)
        if not name:
            return None
        log.add(f'image without file_name, named by its {key}', name)
        return {**record, 'file_name': name}

    images = split.data['images']
    named = rewritten(images, change)
    return split if named is images else replace(split, data={**split.data, 'images': named})


def stated_name(record: Record) -> tuple[str, str]:
    """Return the key in place of `file_name` and the file's name; ('', '') if there is none."""
    stated = [(key, _path(record[key])) for key in KEYS if type(record.get(key)) is str]
    named = [(key, name) for key, name in stated if name]
    # `name` may be a title: what ends like an image is more likely to be the file.
    images = [(key, name) for key, name in named if _is_image(name)]
    return next(iter(images or named), ('', ''))


def _path(stated: str) -> str:
    """Return a URL's path, relative to its host; other names as they are."""
    scheme, separator, rest = stated.strip().partition('://')
    if not separator or not SCHEME.fullmatch(scheme):
        return stated
    path = rest.partition('/')[2]
    if scheme.lower() != 'file':  # whose names may have the other characters
        path = path.partition('?')[0].partition('#')[0]
    return unquote(path).lstrip('/')


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES
