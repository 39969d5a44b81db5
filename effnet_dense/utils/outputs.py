"""Mark the files that the package writes, so that it replaces and removes no others.

A hidden file in each folder of outputs, `.effnet_dense-outputs`, lists what was written there, by
lines of JSON:

    +["NAME", SIZE, TIME, "SHA256"]    a file's content, known before the file gets its name
    +"NAME"                            a file that is being written: any content
    -"NAME"                            a file that was removed

An existing file that its folder's list does not name, or whose content was never written by the
package (it was edited or exchanged), is foreign: it is neither replaced nor removed. A link is
foreign, too, whatever its name: the package makes none, and writing would go through it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from effnet_dense.utils.atomic import atomic_path, atomic_write, write_all
from effnet_dense.utils.nothing_left import note_new

MARK = '.effnet_dense-outputs'
HEADER = '# Files that effnet_dense wrote into this folder; it may replace and remove them.\n'
SHOWN = 3
"""Files that an error names."""
SAMPLES = 128
SAMPLE_BYTES = 1 << 16
"""Of larger files than `SAMPLES` of these, that many evenly spread blocks are compared."""


class Content(NamedTuple):
    """What tells a file's content from others; a copied file has another time only."""

    size: int
    time: int  # of the last change, in ns
    digest: str


@dataclass
class _List:
    """What was read of a folder's list."""

    file: tuple[int, int] = (0, 0)  # device, inode
    time: int = 0
    read: int = 0  # bytes
    names: dict[str, set[Content] | None] = field(default_factory=dict)  # None: any content


_READ: dict[Path, _List] = {}


@contextmanager
def new_output(path: str | Path, fsync: bool = True) -> Iterator[Path]:
    """Yield a temporary path whose file becomes an output of the package when the block ends.

    Missing folders are made. See `atomic_path`.

    Raises:
        FileExistsError: A foreign file, folder or link has this name.
        OSError: See `atomic_path`.
    """
    path = Path(path)
    check_free([path])
    claim_folder(path.parent)
    with atomic_path(path, fsync, lambda partial: _note(path, partial)) as partial:
        yield partial


def write_output(path: str | Path, content: str | bytes, fsync: bool = True) -> Path:
    """Write an output of the package atomically; see `new_output` and `atomic_write`.

    Returns:
        The path.
    """
    path = Path(path)
    check_free([path])
    claim_folder(path.parent)
    atomic_write(path, content, fsync, lambda partial: _note(path, partial))
    return path


def is_listed(path: str | Path) -> bool:
    """Whether the package has written a file of this name, perhaps with other content."""
    return Path(path).name in _listed(Path(path).parent)


def is_ours(path: str | Path) -> bool:
    """Whether the package has written this file, and its content; true if it was removed."""
    path = Path(path)
    listed = _listed(path.parent)
    if path.name not in listed:
        return False
    try:
        found = os.lstat(path)
    except OSError:
        return True
    return stat.S_ISREG(found.st_mode) and _is_known(path, found, listed[path.name])


def claim(path: str | Path) -> Path:
    """List a file as the package's, right before it is written in place, with any content.

    Missing folders are made. `record` notes the content as soon as it is complete; until then the
    file may be replaced whatever it holds. Other names of an existing file (hard links) become
    files of their own.

    Returns:
        The path.

    Raises:
        FileExistsError: A foreign file, folder or link has this name.
    """
    path = Path(path)
    check_free([path])
    listed = _listed(path.parent)
    if path.name not in listed or listed[path.name] is not None:
        claim_folder(path.parent)
        _append(path.parent, f'+{json.dumps(path.name)}\n')
    unlink_others(path)
    return path


def record(path: str | Path) -> None:
    """Note the content of a claimed file; a file that was not written is released."""
    path = Path(path)
    if path.name in _listed(path.parent):
        if path.is_file() and not path.is_symlink():
            _note(path, path, f'-{json.dumps(path.name)}\n')
        else:
            release(path)


def unlink_others(path: Path) -> None:
    """Copy a file that has other names, hard links, so that writing leaves those alone."""
    try:
        found = os.lstat(path)
    except OSError:
        return
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        with atomic_path(path) as partial:
            partial.write_bytes(path.read_bytes())
            os.utime(partial, ns=(found.st_atime_ns, found.st_mtime_ns))


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
        listed = _listed(folder)
        new = [name for name in names if listed.get(name, set()) is not None]
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
    if path.is_file() and not path.is_symlink() and not is_ours(path):
        claim_folder(path.parent)
        _note(path, path)


def release(path: str | Path) -> None:
    """Take a removed file off its folder's list: a new one with this name is foreign."""
    path = Path(path)
    if path.name in _listed(path.parent):
        _append(path.parent, f'-{json.dumps(path.name)}\n')


def check_free(paths: Iterable[str | Path]) -> None:
    """Check that files may be written.

    Raises:
        FileExistsError: Some of them exist and are foreign.
    """
    foreign = [path for path in map(Path, paths) if os.path.lexists(path) and not is_ours(path)]
    if foreign:
        raise FileExistsError(
            f'refusing to replace what effnet_dense did not write, or what was changed since: '
            f'{_names(foreign)}; move it away, or choose another folder for the results'
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


def remove_ours(folder: str | Path, keep: Collection[str] = ()) -> None:
    """Remove the package's files from a folder and its subfolders, and folders left empty.

    Args:
        folder: The folder.
        keep: Names of files that stay.
    """
    for place in list(_folders_below(Path(folder))):
        kept = False
        for name in list(_listed(place)):
            path = place / name
            if name in keep:
                kept = kept or path.exists()
            elif is_ours(path):
                path.unlink(missing_ok=True)  # another process may remove it at the same time
                release(path)
        if _has_header(place) and not kept:
            (place / MARK).unlink()
            if not place.is_symlink() and not any(place.iterdir()):
                place.rmdir()


def content_of(path: str | Path) -> Content:
    """Describe a file's content; of a large file blocks that are evenly spread over it."""
    with Path(path).open('rb') as file:
        found = os.fstat(file.fileno())
        digest = hashlib.sha256()
        step = max(found.st_size // SAMPLES, SAMPLE_BYTES)
        for start in range(0, max(found.st_size - SAMPLE_BYTES, 1), step):
            file.seek(start)
            digest.update(file.read(SAMPLE_BYTES))
        file.seek(max(found.st_size - SAMPLE_BYTES, 0))
        digest.update(file.read(SAMPLE_BYTES))
    return Content(found.st_size, found.st_mtime_ns, digest.hexdigest()[:32])


def _is_known(path: Path, found: os.stat_result, known: set[Content] | None) -> bool:
    if known is None or any(
        each.size == found.st_size and each.time == found.st_mtime_ns for each in known
    ):
        return True
    digests = {each.digest for each in known if each.size == found.st_size}
    try:
        return bool(digests) and content_of(path).digest in digests
    except OSError:
        return False


def _note(path: Path, written: Path, before: str = '') -> None:
    """List a file's content, which lies at `written` until it gets its name."""
    _append(path.parent, f'{before}+{json.dumps([path.name, *content_of(written)])}\n')


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


def _listed(folder: Path) -> dict[str, set[Content] | None]:
    """Return a folder's list; what was read stays in memory, only new lines are read."""
    mark = folder / MARK
    try:
        found = os.lstat(mark)
    except OSError:
        found = None
    if found is None or not _has_header(folder):
        _READ.pop(mark, None)
        return {}
    known = _READ.get(mark)
    file, size, time = (found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns
    grown = known is not None and known.file == file and size > known.read
    if known is None or not (grown or (known.file, known.read, known.time) == (file, size, time)):
        known = _READ[mark] = _List(file)
    if size > known.read:
        with mark.open('rb') as lines:
            lines.seek(known.read)
            content = lines.read()
        complete = content[: content.rfind(b'\n') + 1]
        _parse(complete.decode('utf-8', 'replace'), known.names)
        known.read += len(complete)
    known.time = time
    return known.names


def _parse(text: str, names: dict[str, set[Content] | None]) -> None:
    """Read lines of a list, which may come from a stranger: no name leads out of its folder."""
    for line in text.split('\n'):
        try:
            entry = json.loads(line[1:])
        except (ValueError, RecursionError):  # the header, or a line that was cut by a kill
            continue
        name = entry[0] if isinstance(entry, list) and entry else entry
        if not isinstance(name, str) or name != os.path.basename(name) or name in ('', '.', '..'):
            continue
        if line.startswith('-'):
            names.pop(name, None)
        elif line.startswith('+') and isinstance(entry, str):
            names[name] = None
        elif line.startswith('+') and (content := _content(entry)):
            names[name] = {*(names.get(name) or ()), content}


def _content(entry: Any) -> Content | None:
    fits = isinstance(entry, list) and [type(each) for each in entry] == [str, int, int, str]
    return Content(*entry[1:]) if fits else None


def _append(folder: Path, line: str) -> None:
    """Add a line to a folder's list, in one write: several processes may do so at once."""
    mark = folder / MARK
    if os.path.lexists(mark) and not (_has_header(folder) or _is_empty(mark)):
        raise FileExistsError(f'{mark} was not written by effnet_dense: move it away')
    unlink_others(mark)
    note_new(mark)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, 'O_NOFOLLOW', 0)
    handle = os.open(mark, flags, 0o644)
    try:
        size = os.fstat(handle).st_size
        cut = size > 0 and os.pread(handle, 1, size - 1) != b'\n'  # by a kill
        start = HEADER if not size and line != HEADER else '\n' if cut else ''
        write_all(handle, f'{start}{line}'.encode(), mark)
    finally:
        os.close(handle)


def _has_header(folder: Path) -> bool:
    mark = folder / MARK
    if mark.is_symlink() or not mark.is_file():
        return False
    with mark.open('rb') as file:
        return file.read(len(HEADER)) == HEADER.encode()


def _is_empty(mark: Path) -> bool:
    """Whether another process has just made a list, or was killed before it wrote its header."""
    found = os.lstat(mark)
    return stat.S_ISREG(found.st_mode) and found.st_size == 0


def _names(paths: list[Path]) -> str:
    more = f' and {len(paths) - SHOWN} more' if len(paths) > SHOWN else ''
    return ', '.join(str(path) for path in paths[:SHOWN]) + more
