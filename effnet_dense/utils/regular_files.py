"""Tell files from pipes, devices and sockets, which would block a reader or never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from mmengine import fileio

KINDS = {
    stat.S_IFBLK: 'a device',
    stat.S_IFCHR: 'a device',
    stat.S_IFDIR: 'a folder',
    stat.S_IFIFO: 'a pipe',
    stat.S_IFSOCK: 'a socket',
}


def disk_path(path: str | os.PathLike[str]) -> str:
    """Return a path that the disk takes; JSON may name a file in letters that the locale lacks."""
    text = os.fspath(path)
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return os.fsdecode(text.encode('utf-8', 'surrogatepass'))
    return text


def check_regular(path: str | os.PathLike[str]) -> None:
    """Check that a path leads to a regular file, without opening it.

    Raises:
        FileNotFoundError: Nothing is there, or a link to nothing.
        OSError: It cannot be looked up.
        ValueError: It is something else; the message does not repeat the path.
    """
    kind = stat.S_IFMT(os.stat(disk_path(path)).st_mode)
    if kind != stat.S_IFREG:
        raise ValueError(f'{KINDS.get(kind, "something else")}, not a regular file')


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading bytes; anything else is refused instead of waited for.

    Raises:
        FileNotFoundError, OSError, ValueError: See `check_regular`.
    """
    check_regular(path)
    return Path(disk_path(path)).open('rb')


def read_file(path: str | os.PathLike[str], backend_args: dict[str, Any] | None = None) -> bytes:
    """Read a file from a disk or from mmengine's other storage backends.

    Args:
        path: On a disk it must be a regular file.
        backend_args: mmengine's.

    Raises:
        FileNotFoundError, OSError, ValueError: See `check_regular`.
    """
    if backend_args is None and '://' not in str(path):
        path = disk_path(path)
        check_regular(path)
    return fileio.get(path, backend_args=backend_args)
