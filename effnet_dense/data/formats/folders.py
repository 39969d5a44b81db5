"""Look up files and folders of an exported dataset without regard to upper and lower case."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from effnet_dense.data.formats.parts import part_of_folder
from effnet_dense.data.image_files import IMAGE_SUFFIXES

IGNORED = ('__macosx',)
"""Folders that archives contain beside the dataset."""


@dataclass(frozen=True)
class Listing:
    """What a folder holds, without hidden files; names in lower case → paths, naturally sorted."""

    files: dict[str, Path] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)

    def with_suffix(self, *suffixes: str) -> list[Path]:
        """Select the files with one of the suffixes, in lower case: '.json'."""
        return [path for path in self.files.values() if path.suffix.lower() in suffixes]

    def images(self) -> list[Path]:
        """Select the files that are called like images."""
        return self.with_suffix(*IMAGE_SUFFIXES)

    def part_folders(self) -> list[tuple[str, Path]]:
        """Select the folders called after parts: 'train', 'val' or 'test', with the folder."""
        named = [(part_of_folder(path.name), path) for path in self.folders.values()]
        return [(part, path) for part, path in named if part is not None]

    def parts(self) -> dict[str, Path]:
        """Select the first folder called after each part."""
        return dict(reversed(self.part_folders()))


class Folders:
    """Listings of folders, each read once, and what was noticed while looking.

    Attributes:
        scratch: A folder for files that an export contains in another form.
        hints: Why files that resemble a format are not taken, for the message if none is found.
        remarks: What is left out, whichever format is read.
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.hints: list[str] = []
        self.remarks: list[str] = []
        self._listings: dict[Path, Listing] = {}

    def __call__(self, folder: Path | None) -> Listing:
        """List a folder; nothing for None and for one that cannot be listed."""
        if folder is None:
            return Listing()
        if folder not in self._listings:
            self._listings[folder] = _list(folder)
        return self._listings[folder]

    def sub(self, folder: Path | None, *names: str) -> Path | None:
        """Find a folder by names in lower case, from one level to the next."""
        for name in names:
            folder = self(folder).folders.get(name)
        return folder

    def parts(self, folder: Path) -> dict[str, Path]:
        """Select the folders called after parts, and note others that are called after the same."""
        found = self(folder).parts()
        for part, path in self(folder).part_folders():
            remark = f'{path.name}/ is not used beside {found[part].name}/'
            if path != found[part] and remark not in self.remarks:
                self.remarks.append(remark)
        return found

    def walk(self, folder: Path, depth: int = 8) -> Iterator[Path]:
        """Yield the files below a folder, naturally sorted, those of the folder itself first."""
        yield from self(folder).files.values()
        if depth > 0:
            for sub in self(folder).folders.values():
                yield from self.walk(sub, depth - 1)

    def images(self, folder: Path) -> list[Path]:
        """List the images in a folder and its subfolders, naturally sorted."""
        return [path for path in self.walk(folder) if path.suffix.lower() in IMAGE_SUFFIXES]


def _list(folder: Path) -> Listing:
    listing = Listing()
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries if not _leads_back(entry)]
    except OSError:
        return listing
    for name, is_folder in sorted(found, key=lambda entry: natural(entry[0])):
        if name.startswith('.') or (is_folder and name.lower() in IGNORED):
            continue
        place = listing.folders if is_folder else listing.files
        place.setdefault(name.lower(), folder / name)
        if place[name.lower()].name != name:  # differs in case only
            place[name] = folder / name
    return listing


def _leads_back(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a link to a folder that it lies in, whose files would be found again."""
    if not entry.is_symlink():
        return False
    around = Path(os.path.realpath(os.path.dirname(entry.path)))
    return Path(os.path.realpath(entry.path)) in (around, *around.parents)


def natural(name: str) -> tuple[tuple[int | str, ...], str]:
    """Sort key that orders numbers by value: 'a2' before 'a10'."""
    parts = re.split(r'([0-9]+)', name.lower())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def existing(*folders: Path | None) -> tuple[Path, ...]:
    """Select the folders that exist, each once, in the same order."""
    return tuple(dict.fromkeys(path for path in folders if path is not None and path.is_dir()))
