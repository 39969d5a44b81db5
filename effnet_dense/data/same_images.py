"""Find images that are in training and in validation, whatever their names."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from effnet_dense.data.findings import Finding, list_finding
from effnet_dense.data.same_content import same_content
from effnet_dense.utils.regular_files import disk_path


def repeated_images(parts: Mapping[str, Iterable[Path]]) -> list[Finding]:
    """Warn of validation images whose content is also trained on.

    Args:
        parts: 'train' and 'val' → image files, of which only those of the same length are read;
            nothing is compared if a part is missing. Files that cannot be read are left to other
            checks.
    """
    train, val = (_lengths(parts.get(name, ())) for name in ('train', 'val'))
    common = set(train.values()) & set(val.values())
    files = [
        (f'{name}:{path}', Path(path))
        for name, lengths in (('train', train), ('val', val))
        for path, length in lengths.items()
        if length in common
    ]
    repeated = []
    for keys in same_content(files):
        trained = [key.removeprefix('train:') for key in keys if key.startswith('train:')]
        evaluated = [key.removeprefix('val:') for key in keys if key.startswith('val:')]
        repeated += [_example(path, trained[0]) for path in evaluated if trained]
    what = 'image of the validation that is also trained on, so that its figures are too high'
    return list_finding('warning', what, repeated)


def _lengths(files: Iterable[Path]) -> dict[str, int]:
    """Return the lengths in bytes of files, without folders, pipes and what cannot be read."""
    lengths = {}
    for path in map(disk_path, files):
        with contextlib.suppress(OSError, ValueError):
            found = os.stat(path)
            if stat.S_ISREG(found.st_mode):
                lengths[path] = found.st_size
    return lengths


def _example(path: str, other: str) -> str:
    name = os.path.basename(path)
    return name if os.path.samefile(path, other) else f'{name} is {other}'
