"""A lock on a work folder, so that two trainings never share one.

The lock is a file with the holder's process, host and start. The file of a dead process of this
host is taken over; whether one of another host lives cannot be seen, so it is an error.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

LOCK = '.training.lock'
ENDED = ('Z', 'X')
"""States of processes that have ended, but whose parent has not noticed."""
NO_LOCKS = (errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""Errors of network disks without `flock`."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock."""

    pid: int
    host: str
    started: str  # local time, for people
    boot_ticks: int | None = None  # since the system's start: tells processes of one id apart

    @classmethod
    def this_process(cls) -> Holder:
        """Describe the running process."""
        started = time.strftime('%Y-%m-%d %H:%M:%S')
        return cls(os.getpid(), socket.gethostname(), started, _start_ticks(os.getpid()))

    def may_live(self) -> bool:
        """Whether the process lives, or is on another host."""
        if self.host != socket.gethostname():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # it lives and is another user's
            pass
        found = _stat(self.pid)
        if found and found[0] in ENDED:
            return False
        return self.boot_ticks is None or self.boot_ticks == _start_ticks(self.pid)


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Hold a folder's lock inside the block.

    Raises:
        FileExistsError: A process that lives, or is on another host, holds it.
    """
    path = Path(folder, LOCK)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = Holder.this_process()
    _acquire(path, own)
    try:
        yield
    finally:
        _release(path, own)


def check_unlocked(folder: str | Path) -> None:
    """Check that no other process holds a folder's lock.

    Raises:
        FileExistsError: One does.
    """
    path = Path(folder, LOCK)
    if path.is_file():
        _check(path, _read(path.read_bytes()))


def _acquire(path: Path, own: Holder) -> None:
    with _opened(path) as handle:
        _check(path, _read(os.pread(handle, 4096, 0)))
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(asdict(own)).encode(), 0)


def _release(path: Path, own: Holder) -> None:
    if path.is_file():
        with _opened(path) as handle:
            if _read(os.pread(handle, 4096, 0)) == own:
                path.unlink()


def _check(path: Path, holder: Holder | None) -> None:
    if holder is None or not holder.may_live():
        return
    here = holder.host == socket.gethostname()
    end = 'wait for its end' if here else f'if it has ended, remove {path}'
    raise FileExistsError(
        f'process {holder.pid} on {holder.host} has been training in {path.parent} since '
        f'{holder.started}: {end}, or choose another --work-dir'
    )


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a lock's file while no other process reads or writes it.

    Raises:
        FileExistsError: The file is not a lock.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            _wait_for(handle)
            if not _is_at(path, handle):  # its holder has removed it meanwhile
                continue
            yield handle
            return
        finally:
            os.close(handle)


def _wait_for(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def _read(content: bytes) -> Holder | None:
    """Read a lock's file; None where it is empty, as a kill may leave it."""
    if not content:
        return None
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise FileExistsError(f'a file {LOCK} is not a lock of effnet_dense: {error}') from error


def _start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the system did; None outside Linux."""
    found = _stat(pid)
    return int(found[19]) if found else None


def _stat(pid: int) -> list[str]:
    """Return what Linux shows about a process, from its state on (proc(5)); else nothing."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8', errors='replace')
    except OSError:
        return []
    return text.rpartition(')')[2].split()
