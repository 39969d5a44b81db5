"""Check, before any work, that results can be written where they shall go."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from effnet_dense.utils.atomic import PARTIAL


def check_path(path: str | Path, what: str = 'a path') -> None:
    """Check that a path is not empty: that would be the current folder.

    Raises:
        FileNotFoundError: It is.
    """
    if not os.fspath(path).strip():
        raise FileNotFoundError(f'expected {what}, got {os.fspath(path)!r}')


def check_folder(folder: str | Path) -> None:
    """Check that files can be written into a folder, or into one that can be made there.

    Nothing is left in the folder or above it.

    Raises:
        FileNotFoundError: The path is empty.
        OSError: No file can be written; the message says why.
    """
    check_path(folder, 'a folder for the results')
    place = _nearest(Path(folder))
    try:
        with tempfile.TemporaryFile(dir=place, prefix=PARTIAL):
            pass
    except OSError as error:
        raise OSError(
            f'cannot write results into {folder}: no file can be made in {place} '
            f'({error.strerror or error})'
        ) from error


def check_file(path: str | Path) -> None:
    """Check that a file of results can be written; see `check_folder`."""
    check_path(path, 'a file for the results')
    check_folder(Path(path).parent)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    for place in (folder, *folder.parents):
        reason = ''
        try:
            kind = stat.S_IFMT(os.stat(place).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            if not place.is_symlink():
                continue
            reason = f'{place} is a link to nothing'
        except (OSError, ValueError) as error:  # too long, not readable, a circle of links
            reason = getattr(error, 'strerror', None) or str(error)
        else:
            if kind == stat.S_IFDIR:
                return place
            reason = f'{place} is not a folder'
        raise NotADirectoryError(f'cannot write results into {folder}: {reason}')
    raise NotADirectoryError(f'cannot write results into {folder}: there is no folder above it')
