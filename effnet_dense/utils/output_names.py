"""Name outputs after inputs, so that two inputs never share an output.

Names are relative paths with '/', as JSON files have them.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePath, PurePosixPath


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
    and 'a.jpg') the later ones are lengthened further.
    """
    made = {name: short(name) for name in names}
    count = Counter(result.casefold() for result in made.values())
    reserved = {name.casefold() for name in taken}
    clashing = [
        name
        for name, result in made.items()
        if count[result.casefold()] > 1 or result.casefold() in reserved
    ]
    used = reserved | {made[name].casefold() for name in made.keys() - clashing}
    for name in clashing:
        results = (longer(name, times) for times in itertools.count(1))
        made[name] = next(result for result in results if result.casefold() not in used)
        used.add(made[name].casefold())
    return made
