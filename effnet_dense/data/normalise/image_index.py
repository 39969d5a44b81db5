"""Look images up by names that are written in another way than on the disk."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from effnet_dense.data.image_files import IMAGE_SUFFIXES, list_files
from effnet_dense.utils.near_names import nearest
from effnet_dense.utils.regular_files import disk_path

_HASH = re.compile(r'\.rf\.[0-9a-zA-Z]+$')
_SUFFIX = re.compile(r'_(jpe?g|png|bmp|tiff?|webp)$')
OTHERS = ('.heic', '.heif', '.gif', '.avif', '.jfif')
"""Suffixes that annotations may have of images that were converted since."""


def folded(name: str) -> str:
    """Return a name without regard to case and to Unicode's ways to write a letter."""
    return unicodedata.normalize('NFC', unicodedata.normalize('NFC', name).casefold())


def stem(name: str) -> str:
    """Return a folded name without the suffix of an image."""
    name = folded(unquote(name))
    head, suffix = os.path.splitext(name)
    return head if suffix in IMAGE_SUFFIXES or suffix in OTHERS else name


def source(name: str) -> str:
    """Return the name that an image had before Roboflow: 'a_jpg.rf.0f3c.jpg' → 'a'."""
    return _SUFFIX.sub('', _HASH.sub('', stem(name)))


FORMS: tuple[Callable[[str], str], ...] = (
    lambda name: name,
    folded,
    lambda name: folded(unquote(name)),
    stem,
    source,
)
"""Forms in which a name is compared, the strictest first."""


def parts_of(name: str) -> tuple[str, ...]:
    """Split a path of any system: 'C:\\\\a\\\\b.jpg', '/a/b.jpg', 'file:///a/b.jpg'."""
    plain = name.removeprefix('file://').replace('\\', '/')
    return tuple(part for part in PurePosixPath(plain).parts if part not in ('/', '.', '..'))


class Listings:
    """Looks up files in listings of their folders, read once: a `stat` per image is slow."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}

    def __contains__(self, path: str) -> bool:
        folder, name = os.path.split(disk_path(path))
        if folder not in self._names:
            try:
                self._names[folder] = set(os.listdir(folder))
            except (OSError, ValueError):
                self._names[folder] = set()
        return name in self._names[folder]


class ImageIndex:
    """The images in folders and their subfolders, by the forms of their names.

    Args:
        folders: The most likely first.
        excluded: Whether an image, given by its path, is out of question.
    """

    def __init__(self, folders: Iterable[Path], excluded: Callable[[Path], bool]) -> None:
        listed: dict[Path, None] = {}
        done: list[Path] = []
        for folder in sorted(set(folders), key=lambda path: len(path.parts)):
            if not any(folder.is_relative_to(other) for other in done):
                listed |= dict.fromkeys(folder / file for file in list_files(folder))
            done.append(folder)
        images = [path for path in listed if path.suffix.lower() in IMAGE_SUFFIXES]
        self._paths = [path for path in images if not excluded(path)]
        self._forms: dict[int, dict[str, list[Path]]] = {}

    def find(self, name: str) -> list[Path]:
        """Find the images that a name may mean, by the strictest form that any of them has.

        Returns:
            One path if it is certain, several if not; those with the most folders in common.
        """
        wanted = parts_of(name)
        if not wanted:
            return []
        for level, form in enumerate(FORMS):
            found = self._by_form(level).get(form(wanted[-1]), [])
            if found:
                folders = [_common(path.parts[:-1], wanted[:-1]) for path in found]
                best = max(folders)
                return [p for p, count in zip(found, folders, strict=True) if count == best]
        return []

    def near(self, name: str) -> str | None:
        """Return the name of the image that is written most like a name."""
        wanted = parts_of(name)
        names = {path.name for path in self._paths[:20_000]}
        return nearest(wanted[-1], names) if wanted else None

    def _by_form(self, level: int) -> dict[str, list[Path]]:
        if level not in self._forms:
            found: dict[str, list[Path]] = {}
            for path in self._paths:
                found.setdefault(FORMS[level](path.name), []).append(path)
            self._forms[level] = found
        return self._forms[level]


def _common(folders: Sequence[str], wanted: Sequence[str]) -> int:
    """Count the last folders that two paths have in common."""
    count = 0
    for one, other in zip(reversed(folders), reversed(wanted), strict=False):
        if folded(one) != folded(unquote(other)):
            break
        count += 1
    return count
