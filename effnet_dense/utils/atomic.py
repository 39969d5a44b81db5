"""Write files atomically: a kill or a power cut leaves the old content or the new one."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import itertools
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from effnet_dense.utils.nothing_left import note_new

PARTIAL = '.part-'
"""Prefix of unfinished files' names; a shell's `*.pth` does not match them."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NAME_BYTES = 255
"""Longest name of a file on the file systems of Linux, macOS and Windows."""
NO_LOCKS = (errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""Errors of network disks without `flock`."""
_NUMBER = itertools.count(1)


def partial_path(path: str | Path) -> Path:
    """Return where `atomic_path` writes a file until it is complete: beside it, same suffix."""
    return _beside(Path(path), PARTIAL)


@contextmanager
def atomic_path(
    path: str | Path, fsync: bool = True, before_renaming: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Yield a temporary path whose file replaces `path` when the block ends.

    The replaced file is never written to: other names of it (hard links) keep the old content.
    After a kill the temporary file stays, until the next call for `path` overwrites it. Several
    processes and threads may write `path` at once; the last one wins.

    Args:
        path: The final path; its folder exists.
        fsync: Wait until the bytes are on the disk before renaming, and until the new name is on
            the disk before returning. Without it a kill is safe, but a power cut is not.
        before_renaming: Called with the temporary path of the complete file.

    Yields:
        `partial_path(path)`, or a name of its own while that is in use.

    Raises:
        FileNotFoundError: The block wrote no file.
        OSError: The file cannot be written; the message names a full disk. On any exception the
            temporary file is removed and the old file stays.
    """
    path = Path(path)
    with _named_disk_full(path), _partial(path) as partial:
        yield partial
        if partial.stat().st_mtime_ns == 0:
            raise FileNotFoundError(errno.ENOENT, 'nothing was written', str(path))
        if fsync:
            _flush(partial)
        if before_renaming is not None:
            before_renaming(partial)
        note_new(path)
        os.replace(partial, path)
        if fsync:
            _flush(path.parent)


def atomic_write(
    path: str | Path,
    content: str | bytes | Iterable[str],
    fsync: bool = True,
    before_renaming: Callable[[Path], None] | None = None,
) -> None:
    """Write a file (text as UTF-8) atomically; several processes may write the same one at once.

    Args:
        path: The final path; its folder exists.
        content: Text, bytes, or text in parts. Bytes of file names that are not UTF-8, which
            Python shows as lone surrogates, become `\\udce9`.
        fsync: See `atomic_path`.
        before_renaming: See `atomic_path`.

    Raises:
        OSError: See `atomic_path`.
    """
    parts = [content] if isinstance(content, str | bytes) else content
    with atomic_path(path, fsync, before_renaming) as partial, partial.open('wb') as file:
        file.writelines(map(_bytes, parts))


def write_all(handle: int, content: bytes, path: str | Path) -> None:
    """Write bytes through a handle, all of them.

    Args:
        handle: An open file.
        content: The bytes.
        path: The file, which errors name.

    Raises:
        OSError: The disk is full, for example.
    """
    rest = memoryview(content)
    with _named_disk_full(Path(path)):
        while rest:
            rest = rest[os.write(handle, rest) :]


def _bytes(content: str | bytes) -> bytes:
    return content.encode('utf-8', 'backslashreplace') if isinstance(content, str) else content


@contextmanager
def _named_disk_full(path: Path) -> Iterator[None]:
    """Say that the disk is full in the error that it causes."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        reason = str(error.strerror)
        reason = reason if 'disk is full' in reason else f'the disk is full: {reason}'
        raise OSError(error.errno, reason, str(path)) from error


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """Make an empty temporary file, from 1970 until it is written; it is removed on errors."""
    partial = partial_path(path)
    try:
        handle = _reserve(partial)
    except OSError as error:
        if not isinstance(error, BlockingIOError) and not os.path.lexists(partial):
            raise
        partial = _beside(path, f'{PARTIAL}{os.getpid()}-{next(_NUMBER)}-')
        handle = _reserve(partial)
    try:
        yield partial
    except BaseException:
        with suppress(OSError):  # its folder may be gone
            partial.unlink()
        raise
    finally:
        os.close(handle)


def _reserve(partial: Path) -> int:
    """Create a temporary file, and lock it until the handle is closed.

    Raises:
        BlockingIOError: Another process is writing it.
        OSError: It cannot be written, or is no file.
    """
    while True:
        handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            lock_file(handle)
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise FileExistsError(errno.EEXIST, 'not a regular file', str(partial))
            if is_at(partial, handle):  # no other process has renamed it meanwhile
                os.utime(handle, ns=(0, 0))
                return handle
        except OSError:
            os.close(handle)
            raise
        os.close(handle)


def lock_file(handle: int) -> bool:
    """Lock an open file until it is closed.

    Returns:
        Whether the disk has locks.

    Raises:
        BlockingIOError: Another process holds the lock.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def is_at(path: Path, handle: int) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


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
