"""Find the images and label files that YOLO's data.yaml and lists of images name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from effnet_dense.data.formats.folders import Folders
from effnet_dense.data.formats.text import read_text
from effnet_dense.utils.counted import counted

SHOWN = 3


def parts_of(text: str) -> tuple[tuple[str, ...], bool]:
    """Split a path of any system into names in lower case.

    Returns:
        The names, without a drive and leading dots; and whether the path is one below the folder
        that it is relative to. With '..' further on, there are no names.
    """
    names = [name for name in PurePosixPath(text.strip().replace('\\', '/')).parts if name != '.']
    inside = bool(names) and names[0] not in ('/', '..') and ':' not in names[0]
    while names and (names[0] in ('/', '..') or names[0].endswith(':')):
        del names[0]
    return ((), False) if '..' in names else (tuple(name.lower() for name in names), inside)


def look_up(
    root: Path, text: str, folders: Folders, base: str = '', foreign: bool = False
) -> Path | None:
    """Find a file or folder that a path names, inside the dataset's folder only.

    A path from another machine, or one that leads out of the folder, is looked up by its last
    names, as many as lead to something.

    Args:
        root: The dataset's folder.
        text: The path.
        folders: The folders' listings.
        base: What the path is relative to.
        foreign: It may be relative to another folder, such as one above this one.
    """
    names, inside = parts_of(text)
    if not names:
        return root if inside or text.strip() in ('.', './') else None
    whole = parts_of(base)[0] + names
    shortest = len(names) if inside and not foreign else 1
    for length in range(len(whole), shortest - 1, -1):
        *above, last = whole[len(whole) - length :]
        listing = folders(folders.sub(root, *above))
        found = listing.folders.get(last) or listing.files.get(last)
        if found is not None:
            return found
    return None


def images_of(
    root: Path, entries: Sequence[str], base: str, folders: Folders
) -> tuple[list[Path], list[str]]:
    """List the images of a part.

    Args:
        root: The dataset's folder.
        entries: Folders of images, or text files with the path of an image in each line.
        base: The folder that they are relative to, as data.yaml states it.
        folders: The folders' listings.

    Returns:
        The images, and those of the entries that do not exist.

    Raises:
        ValueError: A list cannot be read.
        FileNotFoundError: A list names images that do not exist.
    """
    images: list[Path] = []
    missing = []
    for entry in entries:
        found = look_up(root, entry, folders, base)
        if found is None:
            missing.append(entry)
        elif found.suffix.lower() == '.txt':
            images += _listed(root, found, folders)
        else:
            images += folders.images(found) if found.is_dir() else [found]
    return list(dict.fromkeys(images)), missing


def _listed(root: Path, path: Path, folders: Folders) -> list[Path]:
    """Read a list of images, relative to its own folder or to the dataset's."""
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    base = path.parent.relative_to(root).as_posix()
    found = {line: look_up(root, line, folders, base, foreign=True) for line in lines}
    missing = [line for line in found if found[line] is None]
    if missing:
        raise FileNotFoundError(
            f'{path} names {counted(len(lines), "image")}, of which {len(missing)} are not in '
            f'{root}: ' + ', '.join(missing[:SHOWN])
        )
    return [image for image in found.values() if image is not None]


def label_file(image: Path, root: Path, folders: Folders) -> Path | None:
    """Find an image's label file: in the folder labels/ that mirrors images/, or beside it."""
    name = f'{image.stem}.txt'.lower()
    for folder in _label_folders(image.parent, root, folders):
        found = folders(folder).files.get(name)
        if found is not None:
            return found
    return None


def have_label_folder(images: Iterable[Path], root: Path, folders: Folders) -> bool:
    """Whether there are text files where the label files of some images would be."""
    places = [Path(place) for place in dict.fromkeys(os.path.dirname(image) for image in images)]
    return any(
        folders(folder).with_suffix('.txt')
        for place in places
        for folder in _label_folders(place, root, folders)
    )


def _label_folders(place: Path, root: Path, folders: Folders) -> Iterator[Path]:
    """Yield where the label files of a folder's images may be, the most likely first."""
    parents = place.relative_to(root).parts
    at = [i for i, parent in enumerate(parents) if parent.lower() == 'images']
    if at:
        mirrored = [*parents[: at[-1]], 'labels', *parents[at[-1] + 1 :]]
        folder = folders.sub(root, *(parent.lower() for parent in mirrored))
        if folder is not None:
            yield folder
    yield place
