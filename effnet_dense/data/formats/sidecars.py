"""Find annotation files of which each belongs to one image, in the layouts that tools write.

train/a.jpg, train/a.xml              parts, beside the images
train/images/a.jpg, train/labels/a.xml
annotations/a.xml, images/a.jpg       also in folders for each part
a.jpg, a.xml                          one part, beside the images
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from effnet_dense.data.formats.folders import Folders, existing
from effnet_dense.data.formats.parts import UNNAMED

ANNOTATIONS = ('annotations', 'annotation', 'xmls', 'xml', 'labels', 'label', 'jsons', 'json')
IMAGES = ('jpegimages', 'images', 'image', 'imgs', 'img', 'data')
"""Names of folders, in lower case."""

PROBED = 20
"""Files of which one must be of the format."""


@dataclass(frozen=True)
class Sidecars:
    """Annotation files of one part, and the folders that may hold their images.

    `missing` are names in a list of the part's files that none has.
    """

    files: list[Path]
    image_dirs: tuple[Path, ...]
    base: Path
    missing: tuple[str, ...] = ()


def find_sidecars(
    root: Path, folders: Folders, suffix: str, accept: Callable[[Path], bool]
) -> dict[str, Sidecars]:
    """Find annotation files by their suffix.

    Args:
        root: The dataset's folder.
        folders: The folders' listings.
        suffix: In lower case.
        accept: Whether a file is of the format, by its first bytes.

    Returns:
        'train', 'val', 'test' → files; or 'all' → files, if there are no parts.
    """
    found: dict[str, Sidecars] = {}
    kinds = [folders.sub(root, name) for name in (*ANNOTATIONS, *IMAGES)]
    for base in existing(root, *kinds):
        for part, folder in folders.parts(base).items():
            inner = existing(folder, *(folders.sub(folder, name) for name in ANNOTATIONS))
            for place in inner:
                files = _accepted(folders, place, suffix, accept, deep=place != folder)
                if files and part not in found:
                    dirs = _image_dirs(root, folders, place, part)
                    found[part] = Sidecars(files, dirs, place)
    if found:
        return found
    for place in existing(*kinds, root):
        files = _accepted(folders, place, suffix, accept, deep=place != root)
        if files:
            return {UNNAMED: Sidecars(files, _image_dirs(root, folders, place), place)}
    return {}


def _accepted(
    folders: Folders, place: Path, suffix: str, accept: Callable[[Path], bool], deep: bool
) -> list[Path]:
    """List a folder's files with a suffix, if one of the first is accepted."""
    paths: Iterable[Path] = folders.walk(place, 4) if deep else folders(place).files.values()
    files = [path for path in paths if path.suffix.lower() == suffix]
    return files if any(map(accept, files[:PROBED])) else []


def _image_dirs(
    root: Path, folders: Folders, place: Path, part: str | None = None
) -> tuple[Path, ...]:
    """List folders with images: beside the annotations, beside their folder, below the root."""
    around = [place, *(path for path in place.parents if path.is_relative_to(root))]
    named = [folders.sub(root, name) for name in IMAGES]
    parts = [folders(base).parts().get(part) for base in named] if part else []
    candidates = existing(
        *parts,
        *(folders.sub(folder, name) for folder in around for name in IMAGES),
        *around,
        folders(root).parts().get(part or ''),
    )
    holding = [folder for folder in candidates if folders(folder).images()]
    return existing(*holding, *(folder for folder in named if folder), root)


class ImageNames:
    """Names of the images in a part's folders, by which annotation files name theirs.

    Args:
        folders: The folders' listings.
        image_dirs: The part's.
    """

    def __init__(self, folders: Folders, image_dirs: Iterable[Path]) -> None:
        images = [path for folder in image_dirs for path in folders.images(folder)]
        self.images = set(images)
        self._names = {path.name.lower(): path for path in reversed(images)}
        self._stems = {path.stem.lower(): path for path in reversed(images)}
        self.used: set[Path] = set()

    def match(self, file_name: str, stem: str = '') -> str:
        """Return the name of an annotation file's image.

        Args:
            file_name: As the annotation file states it, '' if it does not.
            stem: The annotation file's name without its suffix, '' if it has other images, too.

        Returns:
            The stated name if an image has it, the last name of one that is called like the
            annotation file, else what is stated.
        """
        found = self.find(file_name)
        if found is not None:
            self.used.add(found)
            bare = PureWindowsPath(file_name).name.lower() == found.stem.lower()
            return found.name if bare else file_name
        beside = self._stems.get(stem.lower()) if stem else None
        if beside is not None:
            self.used.add(beside)
            return beside.name
        return file_name or stem

    def find(self, file_name: str) -> Path | None:
        """Find an image by its last name, with or without the suffix."""
        last = PureWindowsPath(file_name).name.lower()
        return self._names.get(last) or self._stems.get(last)


def left_out(parts: Iterable[ImageNames], what: str) -> list[str]:
    """Describe images that no part's annotation files have; no remark if there are none.

    Args:
        parts: Of all parts that were read.
        what: What these images lack: 'annotation file'.
    """
    names = list(parts)
    images = set().union(*(part.images for part in names))
    lone = sorted(images.difference(*(part.used for part in names)))
    if not lone:
        return []
    has, are = ('image has', 'is') if len(lone) == 1 else ('images have', 'are')
    return [f'{len(lone)} {has} no {what} and {are} left out, as {lone[0].name}']
