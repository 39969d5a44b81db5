"""Remove what a refused run has written, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_JOURNALS: list[list[Path]] = []


def note_new(path: Path) -> None:
    """Note a file, or a folder that appears complete, which is about to be made."""
    if _JOURNALS and not os.path.lexists(path):
        _JOURNALS[-1].append(path)


@contextmanager
def nothing_left(folder: str | Path) -> Iterator[None]:
    """Remove, if the block raises an exception, the new files below a folder that it noted.

    Folders that are empty then, and did not exist before, are removed too, also those above it.
    """
    folder = Path(folder).absolute()
    before = {folder, *folder.parents, *_folders_below(folder)}
    before = {path for path in before if path.exists()}
    written: list[Path] = []
    _JOURNALS.append(written)
    try:
        yield
    except BaseException:
        for path in map(Path.absolute, written):
            if path.is_relative_to(folder):
                _remove(path)
        new = {folder, *folder.parents, *_folders_below(folder)} - before
        for path in sorted(new, reverse=True):  # the innermost first
            with suppress(OSError):  # not empty
                path.rmdir()
        raise
    finally:
        _JOURNALS.pop()


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _folders_below(folder: Path) -> Iterator[Path]:
    for root, names, _ in os.walk(folder):
        yield from (Path(root, name) for name in names)
