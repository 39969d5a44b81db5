"""Find files with the same content: only those of equal size are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from effnet_dense.utils.progress import track
from effnet_dense.utils.regular_files import open_regular

CHUNK = 2**20


def same_content(files: Iterable[tuple[str, Path]]) -> list[list[str]]:
    """Group files by their content.

    Args:
        files: Pairs of a file's key and path; files that cannot be read are left out.

    Returns:
        The keys of each content that several of them have, in their order.
    """
    inodes: dict[tuple[int, ...], list[str]] = {}
    paths: dict[tuple[int, ...], Path] = {}
    for key, path in files:
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            continue
        identity: tuple[int, ...] = (found.st_size, found.st_dev, found.st_ino)
        inodes.setdefault(identity, []).append(key)
        paths[identity] = path
    by_size: dict[int, list[tuple[int, ...]]] = {}
    for identity in inodes:
        by_size.setdefault(identity[0], []).append(identity)
    several = [identity for same in by_size.values() if len(same) > 1 for identity in same]
    contents = _by_content(several, paths)
    alone = [[identity] for identity in inodes if len(by_size[identity[0]]) == 1]
    groups = ([key for identity in same for key in inodes[identity]] for same in contents + alone)
    return [keys for keys in groups if len(keys) > 1]


def _by_content(
    identities: Sequence[tuple[int, ...]], paths: dict[tuple[int, ...], Path]
) -> list[list[tuple[int, ...]]]:
    found: dict[bytes, list[tuple[int, ...]]] = {}
    for identity in track(identities, 'Comparing images'):
        digest = _digest(paths[identity])
        if digest is not None:
            found.setdefault(digest, []).append(identity)
    return list(found.values())


def _digest(path: Path) -> bytes | None:
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open_regular(path) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except (OSError, ValueError):
        return None
    return digest.digest()
