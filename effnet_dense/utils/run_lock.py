"""A lock on a folder of results, so that two runs never share one.

The lock is a file with the holder's process, host and start, which the holder keeps locked
(`flock`) until it ends. The system unlocks it however the holder ends, in any container: on one
machine that shows whether the holder lives. Whether one of another machine lives cannot be seen, so
it is an error that names the file to remove.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from effnet_dense.utils.atomic import is_at, lock_file, write_all
from effnet_dense.utils.counted import counted

ENDED = ('Z', 'X')
"""States of processes that have ended, but whose parent has not noticed."""
TRIES, PAUSE = 10, 0.05
"""Attempts, and seconds between them: another process may look at the lock just now."""
UNITS = (('day', 86400), ('hour', 3600), ('minute', 60), ('second', 1))
_HANDLES: set[int] = set()


@dataclass(frozen=True)
class Purpose:
    """What a lock is for: the file's name, and the words of its error."""

    file: str
    doing: str
    option: str


TRAINING = Purpose('.training.lock', 'training in', '--work-dir')
PREDICTION = Purpose('.prediction.lock', 'predicting into', '--out')
LOCK = TRAINING.file


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock."""

    pid: int
    host: str
    started: str  # local time, for people
    boot_ticks: int | None = None  # since the system's start: tells processes of one id apart
    time: float | None = None  # of the lock, in s since 1970
    boot: str | None = None  # identifies the system's start, the same in all its containers
    machine: str | None = None
    pid_space: str | None = None  # containers number processes on their own
    device: int | None = None  # the file's: of a network disk each container may have its own

    @classmethod
    def this_process(cls, device: int | None = None) -> Holder:
        """Describe the running process."""
        return cls(
            os.getpid(),
            socket.gethostname(),
            time.strftime('%Y-%m-%d %H:%M:%S'),
            _start_ticks(os.getpid()),
            time.time(),
            _text('/proc/sys/kernel/random/boot_id'),
            _text('/etc/machine-id'),
            _pid_space(),
            device,
        )

    def may_live(self, unlocked: int | None = None) -> bool:
        """Whether the process lives, or is on another machine.

        Args:
            unlocked: The device of the lock's file, if no process keeps it locked there.
        """
        here = Holder.this_process()
        if self.is_visible():
            return self._runs()
        if self.boot is not None and self.boot == here.boot:
            return unlocked is None or self.device != unlocked
        other = self.machine is not None and self.machine != here.machine
        return self.host != here.host or other  # else the machine was restarted

    def is_visible(self) -> bool:
        """Whether this process sees the holder, if it lives: on one machine, in one container."""
        here = Holder.this_process()
        if self.boot is None:  # outside Linux
            return self.host == here.host
        return (self.boot, self.pid_space) == (here.boot, here.pid_space)

    def _runs(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):  # it lives and is another user's
            pass
        found = _stat(self.pid)
        if found and found[0] in ENDED:
            return False
        return self.boot_ticks is None or self.boot_ticks == _start_ticks(self.pid)


class Lock:
    """A lock that this process holds.

    Args:
        path: Its file; missing folders are made.
        purpose: What it is for.

    Raises:
        FileExistsError: See `locked`.
    """

    def __init__(self, path: Path, purpose: Purpose) -> None:
        self.path = path
        self.purpose = purpose
        self._take()

    def renew(self) -> None:
        """Take the lock again if its file was removed, perhaps with the folder.

        Raises:
            FileExistsError: Another process has taken it meanwhile.
        """
        if not is_at(self.path, self._handle):
            old = self._handle
            self._take()
            _close(old)

    def release(self) -> None:
        """Remove the file, unless it was removed and is perhaps another process's now."""
        if is_at(self.path, self._handle):
            with suppress(FileNotFoundError):
                self.path.unlink()
        _close(self._handle)

    def _take(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = _acquire(self.path, self.purpose)
        _HANDLES.add(self._handle)


@contextmanager
def locked(folder: str | Path, purpose: Purpose = TRAINING) -> Iterator[Lock]:
    """Hold a folder's lock inside the block.

    Raises:
        FileExistsError: A process that lives, or is on another machine, holds it, or the file is
            no lock.
    """
    lock = Lock(Path(folder, purpose.file), purpose)
    try:
        yield lock
    finally:
        lock.release()


def _close(handle: int) -> None:
    _HANDLES.discard(handle)
    os.close(handle)


def check_unlocked(folder: str | Path, purpose: Purpose = TRAINING) -> None:
    """Check that no other process holds a folder's lock.

    Raises:
        FileExistsError: One does.
    """
    path = Path(folder, purpose.file)
    if not path.is_file():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        _check(path, purpose, handle, lock_file(handle))
    except BlockingIOError:
        raise _refusal(path, purpose, _read(path, handle), True) from None
    finally:
        os.close(handle)


def _acquire(path: Path, purpose: Purpose) -> int:
    """Take the lock; return the handle of its file, which stays locked until it is closed."""
    for left in reversed(range(TRIES)):
        handle = _open(path, purpose)
        try:
            unlocked = lock_file(handle)
            if is_at(path, handle):  # its holder has not removed it meanwhile
                _check(path, purpose, handle, unlocked)
                own = Holder.this_process(os.fstat(handle).st_dev)
                _write(path, handle, json.dumps(asdict(own)).encode())
                return handle
        except BlockingIOError:
            if not left:
                error = _refusal(path, purpose, _read(path, handle), True)
                os.close(handle)
                raise error from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        time.sleep(PAUSE)
    raise FileExistsError(f'other processes take and release {path}: try again')


def _write(path: Path, handle: int, content: bytes) -> None:
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        write_all(handle, content, path)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _open(path: Path, purpose: Purpose) -> int:
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        raise FileExistsError(f'{path} is not a lock of effnet_dense: move it away')
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    except PermissionError as error:
        if not path.is_file():
            raise
        raise FileExistsError(
            f'another user has been {purpose.doing} {path.parent}: if that has ended, remove '
            f'{path}, or choose another {purpose.option}'
        ) from error


def _check(path: Path, purpose: Purpose, handle: int, has_locks: bool) -> None:
    """Check a lock that this process has locked, if the disk has locks."""
    holder = _read(path, handle)
    if holder is not None and holder.may_live(os.fstat(handle).st_dev if has_locks else None):
        raise _refusal(path, purpose, holder, holder.is_visible())


def _refusal(path: Path, purpose: Purpose, holder: Holder | None, lives: bool) -> FileExistsError:
    """Return the error that names the holder, and what to do.

    Args:
        path: The lock.
        purpose: What it is for.
        holder: None if its file is empty.
        lives: Whether it is known to live.
    """
    who, since = 'another process', ''
    if holder is not None:
        who = f'process {holder.pid} on {holder.host}'
        since = f' since {holder.started}{_age(holder.time)}'
    end = 'wait for its end'
    if not lives:
        end = f'if it has ended, remove {path}{_last_change(path.parent)}'
    return FileExistsError(
        f'{who} has been {purpose.doing} {path.parent}{since}: {end}, or choose another '
        f'{purpose.option}'
    )


def _last_change(folder: Path) -> str:
    """Say when a folder's newest file was written, by which people see whether a run goes on."""
    times = []
    for pattern in ('*', '*/*', '*/vis_data/*'):
        for path in folder.glob(pattern):
            if path.is_file():
                times.append(path.stat().st_mtime)
    ago = _age(max(times)).strip(' ()') if times else ''
    return f' (the newest file there was written {ago})' if ago else ''


def _age(since: float | None) -> str:
    """Return ' (3 hours ago)'; nothing where that is unknown."""
    if since is None:
        return ''
    seconds = max(time.time() - since, 0)
    name, size = next((unit for unit in UNITS if seconds >= unit[1]), UNITS[-1])
    count = int(seconds // size)
    return f' ({counted(count, name)} ago)'


def _read(path: Path, handle: int) -> Holder | None:
    """Read a lock's file; None where it is empty, as a kill may leave it."""
    content = os.pread(handle, 4096, 0)
    if not content:
        return None
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError, RecursionError) as error:
        raise FileExistsError(
            f'{path} is not a lock of effnet_dense, move it away: {error}'
        ) from error


def _start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the system did; None outside Linux."""
    found = _stat(pid)
    return int(found[19]) if found else None


def _stat(pid: int) -> list[str]:
    """Return what Linux shows about a process, from its state on (proc(5)); else nothing."""
    text = _text(f'/proc/{pid}/stat') or ''
    return text.rpartition(')')[2].split()


def _text(path: str) -> str | None:
    try:
        text = Path(path).read_text(encoding='utf-8', errors='replace').strip()
    except OSError:
        return None
    return text or None


def _pid_space() -> str | None:
    try:
        return os.readlink('/proc/self/ns/pid')
    except OSError:
        return None


def _close_in_child() -> None:
    """Leave the lock to the process that took it: forked workers may outlive it for seconds."""
    for handle in _HANDLES:
        with suppress(OSError):
            os.close(handle)
    _HANDLES.clear()


os.register_at_fork(after_in_child=_close_in_child)
