"""Find images that are in training and in validation, whatever their names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from effnet_dense.data.findings import Finding, list_finding
from effnet_dense.utils.regular_files import disk_path

START = 65536
"""Bytes that are compared before whole files are."""


def repeated_images(parts: Mapping[str, Iterable[Path]]) -> list[Finding]:
    """Warn of validation images whose content is also trained on.

    Args:
        parts: 'train' and 'val' → image files, of which only those of the same length are read;
            nothing is compared if a part is missing. Files that cannot be read are left to other
            checks.
    """
    train, val = parts.get('train', ()), parts.get('val', ())
    lengths: dict[int, list[str]] = {}
    for path in map(disk_path, train):
        if (length := _length(path)) is not None:
            lengths.setdefault(length, []).append(path)
    candidates = [
        (path, lengths[length])
        for path in map(disk_path, val)
        if (length := _length(path)) in lengths
    ]
    known: dict[tuple[str, int | None], bytes | None] = {}
    repeated = [
        os.path.basename(path) + ('' if os.path.samefile(path, other) else f' is {other}')
        for path, others in candidates
        if (other := _same(path, others, known)) is not None
    ]
    what = 'image of the validation that is also trained on, so that its figures are too high'
    return list_finding('warning', what, repeated)


def _length(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return None


def _same(
    path: str, others: Sequence[str], known: dict[tuple[str, int | None], bytes | None]
) -> str | None:
    """Return the first of the other files with the content of a file."""

    def digest(file: str, most: int | None) -> bytes | None:
        key = file, most
        if key not in known:
            known[key] = _digest(file, most)
        return known[key]

    for most in (START, None):
        own = digest(path, most)
        others = [] if own is None else [file for file in others if digest(file, most) == own]
    return others[0] if others else None


def _digest(path: str, most: int | None) -> bytes | None:
    """Return a hash of a file, or of its first bytes; None if it cannot be read."""
    if not os.path.isfile(path):
        return None
    try:
        with open(path, 'rb') as file:
            if most is not None:
                return hashlib.sha256(file.read(most)).digest()
            return hashlib.file_digest(file, 'sha256').digest()
    except OSError:
        return None
