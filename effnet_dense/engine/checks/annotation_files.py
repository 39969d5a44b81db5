"""Check that the annotations of COCO data sets are JSON files, by their first bytes."""

from __future__ import annotations

import os
from typing import Any

from effnet_dense.data.config_walk import loop_datasets, type_name

LOOPS = ('train', 'val', 'test')
BYTE_ORDER_MARK = b'\xef\xbb\xbf'


def check_annotation_files(cfg: Any) -> None:
    """Check the files that exist; mmdet names missing ones itself.

    Raises:
        ValueError: Names the file, and how it begins.
    """
    for loop in LOOPS:
        for dataset in loop_datasets(cfg, loop):
            name = dataset.get('ann_file') if type_name(dataset).startswith('Coco') else None
            if isinstance(name, str) and name:
                _check(f'{loop}_dataloader', os.path.join(dataset.get('data_root') or '', name))


def _check(loader: str, path: str) -> None:
    if not os.path.isfile(path):
        return
    with open(path, 'rb') as file:
        start = file.read(64).removeprefix(BYTE_ORDER_MARK).lstrip()
    if not start.startswith((b'{', b'[')):
        raise ValueError(
            f'{loader}: ann_file {path} is not JSON, as COCO annotations are: it begins with '
            f'{start[:8]!r}'
        )
