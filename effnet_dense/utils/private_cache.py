"""Keep compiled code in a folder of the user's own.

inductor compiles C++ and loads the libraries that it finds in its cache. By default that is a
folder of predictable name in the shared temporary folder, where others can put theirs first.

This file imports only the standard library: it runs while torch is imported.
"""

from __future__ import annotations

import atexit
import getpass
import os
import re
import shutil
import stat
import tempfile
import warnings
from functools import cache
from pathlib import Path

VARIABLE = 'TORCHINDUCTOR_CACHE_DIR'
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def use_private_cache() -> None:
    """Set inductor's cache folder for this process and its children, unless the user has.

    torch itself sets the variable to its default, which therefore counts as not set.
    """
    given = os.environ.get(VARIABLE)
    if os.name == 'posix' and (not given or Path(given) == _shared_default()):
        os.environ[VARIABLE] = str(cache_folder())


@cache
def cache_folder() -> Path:
    """Return `effnet_dense/inductor` in the user's cache folder, private to the user.

    Where that cannot be had, which is warned of, a new folder that is removed at exit.

    Raises:
        OSError: Nor is there a temporary folder to write to.
    """
    try:
        folder = _private_folder(_user_cache() / 'effnet_dense')
    except (OSError, RuntimeError) as error:
        warnings.warn(
            f'compiled code is not kept for the next run: {error}; set {VARIABLE} to a folder '
            'that only you can write to',
            RuntimeWarning,
            stacklevel=2,
        )
        folder = _temporary_folder()
    return folder / 'inductor'


def _user_cache() -> Path:
    """`$XDG_CACHE_HOME` or ~/.cache, with links resolved; RuntimeError without a home."""
    given = Path(os.environ.get('XDG_CACHE_HOME', ''))
    return (given if given.is_absolute() else Path.home() / '.cache').resolve()


def _private_folder(path: Path) -> Path:
    """Create a folder that only this user can write to, or check that it is one.

    Raises:
        OSError: It cannot be created or written to, is a link, belongs to someone else, others
            could have written to it, or they can replace it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for parent in path.parents:
        _check_parent(parent)
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f'{path} is a link or belongs to another user')
    if found.st_mode & _OTHERS_WRITE:
        raise PermissionError(f'others can write to {path}')
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(f'{path} is read-only')
    if os.statvfs(path).f_flag & os.ST_NOEXEC:
        raise PermissionError(f'no code may be loaded from {path} (mounted with noexec)')
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
    return path


def _check_parent(path: Path) -> None:
    """Refuse a folder whose entries another user, apart from root, can rename."""
    found = path.stat()
    if found.st_uid not in (0, os.geteuid()):
        raise PermissionError(f'{path} belongs to another user')
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise PermissionError(f'everyone can rename what is in {path}')


def _temporary_folder() -> Path:
    path, owner = Path(tempfile.mkdtemp(prefix='effnet_dense-')), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # not in a forked child
            shutil.rmtree(path, ignore_errors=True)

    atexit.register(remove)
    return path


def _shared_default() -> Path:
    """torch's own choice (`torch/_inductor/runtime/cache_dir_utils.py`)."""
    try:
        user = getpass.getuser()
    except (KeyError, ModuleNotFoundError, OSError):
        user = f'uid_{os.getuid()}'
    name = re.sub(r'[\\/:*?"<>|]', '_', user)
    return Path(tempfile.gettempdir(), f'torchinductor_{name}').absolute()
