"""Files that are there whole or not at all, whenever a process or a machine dies."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = '.part'
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Where to write a file that takes its place in one step, once it is on the disk.

    The bytes reach the disk before the name does, and the name before this returns: a kill, or
    a power cut, leaves the old file or the new one.

    Args:
        path: The file's final place.

    Raises:
        OSError: the file cannot be written; a full disk is said as such. What was begun is
            removed, the old file stays.
    """
    path = Path(path)
    part = path.with_name(path.name + PART)
    try:
        yield part
        _flush(part)
        os.replace(part, path)
        _flush(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        if error.errno in FULL:
            reason = f'the disk is full: {error.strerror}'
            raise OSError(error.errno, reason, str(path)) from error
        raise


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file by `whole_file`."""
    with whole_file(path) as part:
        part.write_text(text, encoding='utf-8')


def _flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks cannot
            raise
    finally:
        os.close(handle)
