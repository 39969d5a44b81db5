"""Extract a ZIP file that a stranger has made."""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from effnet_dense.utils.atomic import PARTIAL, atomic_write
from effnet_dense.utils.counted import counted
from effnet_dense.utils.nothing_left import note_new

MAX_FILES = 2_000_000
MAX_BYTES = 256 * 2**30
"""Largest size of all extracted files."""

RATIO = 200
"""Most bytes for one of the archive. Annotations deflate to a twentieth, images hardly."""

SMALL = 64 * 2**20
"""Content that may have any ratio."""

MARK = '.complete'
"""File in the folder that is written last."""

_DRIVE = re.compile(r'[A-Za-z]:')
_FAILURES = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error)


def extract(path: Path, target: Path) -> Path:
    """Extract a ZIP file into a folder of `target`, once as long as the file does not change.

    Args:
        path: The archive.
        target: A folder, created if it does not exist.

    Returns:
        The folder with its content.

    Raises:
        ValueError: It is no ZIP file, is damaged or encrypted, has names that lead out of the
            folder, links or devices, or expands too much. Nothing is left of it then.
    """
    state = path.stat()
    key = f'{path.resolve()}\n{state.st_size}\n{state.st_mtime_ns}'
    digest = hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:12]
    folder = target / f'{path.stem[:64]}-{digest}'
    if (folder / MARK).is_file():
        return folder
    if folder.exists():
        raise ValueError(f'{folder} is not an extracted {path.name}: move it away')
    partial = target / f'{PARTIAL}{folder.name}'
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _extract_all(path, partial)
        atomic_write(partial / MARK, key)
        note_new(folder)
        partial.rename(folder)
    except _FAILURES as error:
        raise ValueError(f'{path} cannot be extracted: {error}') from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _extract_all(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = _checked(archive, path)
        folder.mkdir(parents=True)
        needed, free = sum(entry.file_size for entry in names), shutil.disk_usage(folder).free
        if needed > free:
            raise ValueError(f'{path} needs {needed} bytes in {folder.parent}, which has {free}')
        for entry, name in names.items():
            entry.filename = f'{name}/' if entry.is_dir() else str(name)
            archive.extract(entry, folder)


def _checked(archive: zipfile.ZipFile, path: Path) -> dict[zipfile.ZipInfo, PurePosixPath]:
    """Return where each entry belongs; refuse the archive if one is dangerous."""
    entries = archive.infolist()
    total, size = sum(entry.file_size for entry in entries), path.stat().st_size
    if len(entries) > MAX_FILES or total > MAX_BYTES:
        raise ValueError(f'{path} holds {counted(len(entries), "file")} of {total} bytes, too many')
    if total > max(SMALL, RATIO * size):
        raise ValueError(f'{path} is a decompression bomb, {size} bytes for {total}')
    names = {}
    for entry in entries:
        name = PurePosixPath(entry.filename.replace('\\', '/'))
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if name.is_absolute() or '..' in name.parts or _DRIVE.match(entry.filename):
            raise ValueError(f'{path} has a name that leads out of its folder: {entry.filename!r}')
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f'{path} has a link or a device: {entry.filename!r}')
        if entry.flag_bits & 1:
            raise ValueError(f'{path} is encrypted')
        if name.parts and name.parts[0] != '__MACOSX':
            names[entry] = name
    return names
