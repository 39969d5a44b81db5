"""Name outputs after inputs, so that two inputs never share an output.

Names are relative paths with '/', as JSON files have them.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePath, PurePosixPath

from effnet_dense.utils.atomic import NAME_BYTES

HASH_DIGITS = 12
SUFFIX_LENGTH = 16
"""Longest suffix that is kept where a name is shortened."""


def relative_names(paths: Iterable[str | Path]) -> dict[str, str]:
    """Name files by their paths below the folder that all of them lie in.

    Returns:
        Path as given → name; of images in one folder, the files' own names.
    """
    full = {str(path): os.path.abspath(path) for path in paths}
    if not full:
        return {}
    common = os.path.commonpath([os.path.dirname(path) for path in full.values()])
    return {key: PurePath(os.path.relpath(path, common)).as_posix() for key, path in full.items()}


def portable_relative_names(paths: Iterable[str | Path]) -> dict[str, str]:
    """Name files as `relative_names` does, in UTF-8 (see `portable_names`)."""
    names = relative_names(paths)
    portable = portable_names(names.values())
    return {path: portable[name] for path, name in names.items()}


def portable_names(names: Iterable[str]) -> dict[str, str]:
    """Replace the bytes of names that are not UTF-8 by %XX, as in URLs; other names stay.

    JSON, and libraries in C++, cannot hold such bytes, which Python shows as lone surrogates.

    Returns:
        Name → name. Where that is another file's name, a hash is added.
    """
    found = dict.fromkeys(names)
    taken = {name for name in found if portable_name(name) == name}
    made = {}
    for name in found:
        result = portable_name(name)
        if result != name and result in taken:
            result = _with_hash(result, name)
        taken.add(result)
        made[name] = result
    return made


def portable_name(name: str) -> str:
    """Replace the bytes of one name that are not UTF-8 by %XX; shorten what becomes too long."""
    parts = [_fitting(''.join(map(_escaped, part))) for part in name.split('/')]
    return '/'.join(parts)


def _escaped(char: str) -> str:
    return f'%{ord(char) & 0xFF:02X}' if '\ud800' <= char <= '\udfff' else char


def _fitting(part: str) -> str:
    """Shorten a file's or folder's name that no file system takes, by a hash of the whole."""
    return part if len(_bytes(part)) <= NAME_BYTES else _with_hash(part, part)


def _with_hash(result: str, name: str) -> str:
    """Put a hash of `name` before the suffix of `result`, which is cut to a file's longest name."""
    folder, _, last = result.rpartition('/')
    suffix = PurePosixPath(last).suffix
    suffix = suffix if len(suffix) <= SUFFIX_LENGTH else ''
    end = f'-{hashlib.sha256(_bytes(name)).hexdigest()[:HASH_DIGITS]}{suffix}'
    stem = _bytes(last.removesuffix(suffix))[: NAME_BYTES - len(_bytes(end))]
    last = stem.decode('utf-8', 'ignore') + end
    return f'{folder}/{last}' if folder else last


def _bytes(name: str) -> bytes:
    return name.encode('utf-8', 'surrogatepass')


def folders_of(names: Iterable[str]) -> set[str]:
    """Return all folders that lie above some names, which no file can be called."""
    return {str(parent) for name in names for parent in PurePosixPath(name).parents} - {'.'}


def replace_suffix(
    names: Collection[str], suffix: str, taken: Collection[str] = frozenset()
) -> dict[str, str]:
    """Exchange names' suffixes; where results would coincide, the old one stays before the new.

    Args:
        names: Such as 'a.jpg' and 'a.png', with '.png' → 'a.jpg.png' and 'a.png.png'.
        suffix: The new one.
        taken: Names that no result may have.
    """
    return _distinct(
        names,
        lambda name: PurePosixPath(name).with_suffix(suffix).as_posix(),
        lambda name, times: name + suffix * times,
        taken,
    )


def drop_suffix(names: Collection[str], taken: Collection[str] = frozenset()) -> dict[str, str]:
    """Drop names' suffixes, except where results would coincide, also with a name that is taken."""
    return _distinct(
        names,
        lambda name: PurePosixPath(name).with_suffix('').as_posix(),
        lambda name, times: name + '_' * (times - 1),
        taken,
    )


def _distinct(
    names: Collection[str],
    short: Callable[[str], str],
    longer: Callable[[str, int], str],
    taken: Collection[str],
) -> dict[str, str]:
    """Lengthen clashing names until all differ, also on file systems that ignore case.

    Names that clash are all lengthened at least once; of those that clash still (such as 'A.jpg'
    and 'a.jpg') the later ones are lengthened further. Too long ones are shortened by a hash.
    """
    made = {name: portable_name(short(name)) for name in names}
    count = Counter(result.casefold() for result in made.values())
    reserved = {name.casefold() for name in taken}
    clashing = [
        name
        for name, result in made.items()
        if count[result.casefold()] > 1 or result.casefold() in reserved
    ]
    used = reserved | {made[name].casefold() for name in made.keys() - clashing}
    for name in clashing:
        results = (portable_name(longer(name, times)) for times in itertools.count(1))
        made[name] = next(result for result in results if result.casefold() not in used)
        used.add(made[name].casefold())
    return made
