"""Write files atomically: a kill or a power cut leaves the old content or the new one."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = '.part-'
"""Prefix of unfinished files' names; a shell's `*.pth` does not match them."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NAME_BYTES = 255
"""Longest name of a file on the file systems of Linux, macOS and Windows."""


def partial_path(path: str | Path) -> Path:
    """Return where `atomic_path` writes a file until it is complete: beside it, same suffix."""
    return _beside(Path(path), PARTIAL)


@contextmanager
def atomic_path(path: str | Path, fsync: bool = True) -> Iterator[Path]:
    """Yield a temporary path whose file replaces `path` when the block ends.

    After a kill the temporary file stays, until the next call for `path` overwrites it. One
    process at a time may write `path`; see `atomic_write` for several.

    Args:
        path: The final path; its folder exists.
        fsync: Wait until the bytes are on the disk before renaming, and until the new name is on
            the disk before returning. Without it a kill is safe, but a power cut is not.

    Yields:
        `partial_path(path)`.

    Raises:
        OSError: The file cannot be written; the message names a full disk. On any exception the
            temporary file is removed and the old file stays.
    """
    with _replacing(Path(path), partial_path(path), fsync) as partial:
        yield partial


def atomic_write(
    path: str | Path, content: str | bytes | Iterable[str], fsync: bool = True
) -> None:
    """Write a file (text as UTF-8) atomically; several processes may write the same one at once.

    Args:
        path: The final path; its folder exists.
        content: Text, bytes, or text in parts. Bytes of file names that are not UTF-8, which
            Python shows as lone surrogates, become `\\udce9`.
        fsync: See `atomic_path`.

    Raises:
        OSError: See `atomic_path`.
    """
    path = Path(path)
    own = _beside(path, f'{PARTIAL}{os.getpid()}-')
    with _replacing(path, own, fsync) as partial, partial.open('wb') as file:
        parts = [content] if isinstance(content, str | bytes) else content
        file.writelines(map(_bytes, parts))


def _bytes(content: str | bytes) -> bytes:
    return content.encode('utf-8', 'backslashreplace') if isinstance(content, str) else content


@contextmanager
def _replacing(path: Path, partial: Path, fsync: bool) -> Iterator[Path]:
    try:
        yield partial
        if fsync:
            _flush(partial)
        os.replace(partial, path)
        if fsync:
            _flush(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        if error.errno in DISK_FULL:
            reason = f'the disk is full: {error.strerror}'
            raise OSError(error.errno, reason, str(path)) from error
        raise
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _beside(path: Path, prefix: str) -> Path:
    """Put a prefix before a file's name; before a hash of it where the name would be too long."""
    name = prefix + path.name
    if len(os.fsencode(name)) > NAME_BYTES:
        name = prefix + hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32] + path.suffix
    return path.with_name(name)


def _flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(handle)
