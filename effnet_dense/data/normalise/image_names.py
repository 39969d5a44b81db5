"""Name images whose records have no `file_name`, but the file under another key.

LVIS names files by `coco_url` only, which also says in which of COCO's folders they are: a part of
its `val` is in train2017/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from effnet_dense.data.formats.found import FoundSplit
from effnet_dense.data.normalise.repairs import Record, RepairLog, rewritten

KEYS = ('filename', 'path', 'file', 'name', 'coco_url', 'url')
"""Keys in place of `file_name`, the most likely first."""
URLS = ('http', 'https', 's3', 'gs')


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
        if record.get('file_name') is not None:
            return None
        key = next((key for key in KEYS if type(record.get(key)) is str and record[key]), None)
        if key is None:
            return None
        name = _path(record[key])
        log.add(f'image without file_name, named by its {key}', name)
        return {**record, 'file_name': name}

    images = split.data['images']
    named = rewritten(images, change)
    return split if named is images else replace(split, data={**split.data, 'images': named})


def _path(stated: str) -> str:
    """Return a URL's path, relative to its host; other names as they are."""
    url = urlsplit(stated)
    return unquote(url.path).lstrip('/') if url.scheme in URLS else stated
