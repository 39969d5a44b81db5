"""Mark the files that the package writes, so that it replaces and removes no others.

A hidden file in each folder of outputs, `.effnet_dense-outputs`, lists the names written there:
a line `+"NAME"` for a file that is about to be written, `-"NAME"` for one that was removed. An
existing file that its folder's list does not name is foreign: it is neither replaced nor removed.
A link is foreign, too, whatever its name: the package makes none, and writing would go through it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

MARK = '.effnet_dense-outputs'
HEADER = '# Files that effnet_dense wrote into this folder; it may replace and remove them.\n'
SHOWN = 3
"""Files that an error names."""

_State = tuple[int, ...]  # device, inode, size and time of a list
_READ: dict[Path, tuple[_State, set[str]]] = {}


def is_ours(path: str | Path) -> bool:
    """Whether the package has written this file."""
    path = Path(path)
    return path.name in _listed(path.parent) and not path.is_symlink()


def claim(path: str | Path) -> Path:
    """List a file as the package's, right before it is written; missing folders are made.

    Returns:
        The path.

    Raises:
        FileExistsError: A foreign file, folder or link has this name.
    """
    path = Path(path)
    check_free([path])
    if path.name not in _listed(path.parent):
        claim_folder(path.parent)
        _append(path.parent, f'+{json.dumps(path.name)}\n')
    return path


def claim_all(paths: Sequence[str | Path]) -> None:
    """List many files as the package's: each folder's list is written once.

    Raises:
        FileExistsError: Some of them exist and are foreign.
    """
    check_free(paths)
    folders: dict[Path, list[str]] = {}
    for path in map(Path, paths):
        folders.setdefault(path.parent, []).append(path.name)
    for folder, names in folders.items():
        claim_folder(folder)
        new = [name for name in names if name not in _listed(folder)]
        if new:
            _append(folder, ''.join(f'+{json.dumps(name)}\n' for name in new))


def claim_folder(folder: str | Path) -> Path:
    """Make a folder for outputs, with its list; what else it holds stays.

    Returns:
        The path.

    Raises:
        FileExistsError: A file has the folder's or the list's name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(folder / MARK):
        _append(folder, HEADER)
    return folder


def adopt(path: str | Path) -> None:
    """List an existing file that an earlier version, or mmengine, wrote in the package's place."""
    path = Path(path)
    if not is_ours(path):
        claim_folder(path.parent)
        _append(path.parent, f'+{json.dumps(path.name)}\n')


def release(path: str | Path) -> None:
    """Take a removed file off its folder's list: a new one with this name is foreign."""
    path = Path(path)
    if is_ours(path):
        _append(path.parent, f'-{json.dumps(path.name)}\n')


def check_free(paths: Iterable[str | Path]) -> None:
    """Check that files may be written.

    Raises:
        FileExistsError: Some of them exist and are foreign.
    """
    foreign = [path for path in map(Path, paths) if os.path.lexists(path) and not is_ours(path)]
    if foreign:
        raise FileExistsError(
            f'refusing to replace what effnet_dense did not write: {_names(foreign)}; move it '
            'away, or choose another folder for the results'
        )


def check_not_read(outputs: Iterable[str | Path], inputs: Iterable[str | Path]) -> None:
    """Check that a run replaces none of the files that it reads, whatever links lead to them.

    Raises:
        ValueError: Some outputs are inputs.
    """
    written = {identity: Path(path) for path in outputs if (identity := _identity(path))}
    read = {_identity(path) for path in inputs} if written else set()
    both = [path for identity, path in written.items() if identity in read]
    if both:
        raise ValueError(
            f'refusing to replace what this run reads: {_names(both)}; choose another folder for '
            'the results'
        )


def check_outside(folder: str | Path, inputs: Iterable[str | Path]) -> None:
    """Check that a folder of results does not lie in a folder whose files a run reads.

    Raises:
        ValueError: It does, so that a later run would read results as data.
    """
    place = Path(folder).resolve()
    around = {_identity(parent) for parent in (place, *place.parents)} - {None}
    for path in inputs:
        if _identity(path) in around:
            raise ValueError(
                f'{folder} lies in {path}, whose files this run reads: choose another folder for '
                'the results'
            )


def remove_ours(folder: str | Path) -> None:
    """Remove the package's files from a folder and its subfolders, and folders left empty."""
    for place in list(_folders_below(Path(folder))):
        for name in _listed(place):
            path = place / name
            if path.is_file() and not path.is_symlink():
                path.unlink(missing_ok=True)  # another process may remove it at the same time
        if _has_header(place):
            (place / MARK).unlink()
            if not place.is_symlink() and not any(place.iterdir()):
                place.rmdir()


def _folders_below(folder: Path) -> Iterator[Path]:
    """Yield a folder and its subfolders, the deepest first; links are not followed."""
    for place, _, _ in os.walk(folder, topdown=False):
        yield Path(place)


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Return what two names of one file share; None for an absent file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _listed(folder: Path) -> set[str]:
    """Return the names on a folder's list; what was read stays in memory until it changes."""
    mark = folder / MARK
    state = _state(mark)
    if state is None or not _has_header(folder):
        _READ.pop(mark, None)
        return set()
    if mark not in _READ or _READ[mark][0] != state:
        _READ[mark] = state, _parse(mark.read_text(encoding='utf-8', errors='replace'))
    return _READ[mark][1]


def _parse(text: str) -> set[str]:
    """Read the names on a list, which may come from a stranger: none leads out of its folder."""
    names: set[str] = set()
    for line in text.splitlines():
        try:
            name = str(json.loads(line[1:]))
        except ValueError:  # the header, or a line that was cut by a kill
            continue
        if name != os.path.basename(name) or name in ('', '.', '..'):
            continue
        (names.add if line.startswith('+') else names.discard)(name)
    return names


def _append(folder: Path, line: str) -> None:
    """Add a line to a folder's list, in one write: several processes may do so at once."""
    mark = folder / MARK
    if os.path.lexists(mark) and not _has_header(folder):
        raise FileExistsError(f'{mark} was not written by effnet_dense: move it away')
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, 'O_NOFOLLOW', 0)
    handle = os.open(mark, flags, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def _has_header(folder: Path) -> bool:
    mark = folder / MARK
    if mark.is_symlink() or not mark.is_file():
        return False
    with mark.open('rb') as file:
        return file.read(len(HEADER)) == HEADER.encode()


def _state(path: Path) -> _State | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _names(paths: list[Path]) -> str:
    more = f' and {len(paths) - SHOWN} more' if len(paths) > SHOWN else ''
    return ', '.join(str(path) for path in paths[:SHOWN]) + more
