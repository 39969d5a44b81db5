"""Find the file of each image, and write its name relative to one folder.

mmdet looks all images of a dataset up in one folder. Names that are not found there as they are
written are found by a unique match: with other folders before them, backslashes, %20, in another
case, form of Unicode or with another suffix, with and without Roboflow's hash.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from effnet_dense.data.formats.found import FoundSplit
from effnet_dense.data.formats.parts import part_of_folder
from effnet_dense.data.normalise.image_index import ImageIndex, Listings
from effnet_dense.data.normalise.repairs import Record, RepairLog, rewritten
from effnet_dense.utils.near_names import listed

OTHER_NAME = 'file name that is written in another way than on the disk'
OTHER_FOLDER = 'file name, now relative to the folder of all images'

HINTS = 3
"""Missing images for which the nearest names are looked up."""


LABEL_FOLDERS = frozenset(
    {'ann_dir', 'annotation', 'annotations', 'gt', 'gtfine', 'label', 'labels', 'mask', 'masks'}
    | {'panoptic', 'segmentationclass', 'segmentationobject', 'trainannot', 'valannot'}
)
"""Folders whose images may be label maps, named like the image that is missing."""


@dataclass(frozen=True)
class ImageFiles:
    """Where a part's images are.

    Attributes:
        folder: The folder to which names are relative.
        images: The records, with repaired names; the same list if there are none.
        paths: Each image's file; None if it is missing.
        hints: On missing images: what their names may mean.
    """

    folder: Path
    images: list[Record]
    paths: list[Path | None]
    hints: tuple[str, ...] = ()


def find_images(
    parts: Mapping[str, FoundSplit], root: Path, logs: Mapping[str, RepairLog]
) -> dict[str, ImageFiles]:
    """Find the images of all parts; a file that one part names is none of another's.

    Args:
        parts: The dataset's.
        root: The dataset's folder.
        logs: Part → collects its repairs.
    """
    listings = Listings()
    direct = {part: _direct(split, listings) for part, split in parts.items()}
    claimed = {path for paths in direct.values() for path in paths if path is not None}
    return {
        part: _resolve(part, split, direct[part], claimed, root, logs[part])
        for part, split in parts.items()
    }


def _direct(split: FoundSplit, listings: Listings) -> list[Path | None]:
    """Look names up as they are written, in each of the folders."""
    found: list[Path | None] = []
    folders = [str(folder) for folder in split.image_dirs]
    for image in split.data['images']:
        name = image.get('file_name')
        path = None
        if type(name) is str and name and '\0' not in name:
            places = (os.path.join(folder, name) for folder in folders)
            path = next((place for place in places if place in listings), None)
        found.append(None if path is None else Path(path))
    return found


def _resolve(
    part: str,
    split: FoundSplit,
    direct: list[Path | None],
    claimed: set[Path],
    root: Path,
    log: RepairLog,
) -> ImageFiles:
    images, paths = split.data['images'], list(direct)
    hints: tuple[str, ...] = ()
    missing = [i for i, path in enumerate(direct) if path is None]
    if missing:
        index = ImageIndex(split.image_dirs, lambda path: _excluded(path, part, root, claimed))
        matches = _match([images[i].get('file_name') for i in missing], index)
        for position, match in zip(missing, matches, strict=True):
            if len(match) == 1:
                paths[position] = match[0]
        hints = _hints(images, missing, matches, index)
    folder = _folder(split.image_dirs, paths, root)
    renamed = set(missing)

    def change(index: int, record: Record) -> Record | None:
        path = paths[index]
        if path is None:
            return None
        if index not in renamed and str(path) == os.path.join(folder, record['file_name']):
            return None
        inside = path.is_relative_to(folder)
        name = path.relative_to(folder).as_posix() if inside else str(path)
        what = OTHER_NAME if index in renamed else OTHER_FOLDER
        log.add(what, f'{record["file_name"]} → {name}')
        return {**record, 'file_name': name}

    return ImageFiles(folder, rewritten(images, change), paths, hints)


def _excluded(path: Path, part: str, root: Path, claimed: set[Path]) -> bool:
    """Whether an image is another record's, in another part's folder, or may be a label map."""
    if path in claimed:
        return True
    folders = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
    if LABEL_FOLDERS.intersection(map(str.lower, folders)):
        return True
    others = {part_of_folder(folder) for folder in folders} - {None, part}
    if part == 'val':
        others -= {'test'}
    return part != 'all' and bool(others)


def _match(names: Sequence[object], index: ImageIndex) -> list[list[Path]]:
    """Find files for names; a file that two different names may mean is neither's."""
    texts = [name if type(name) is str else '' for name in names]
    found = {name: index.find(name) for name in set(texts)}
    counts = Counter(paths[0] for paths in found.values() if len(paths) == 1)
    return [[] if len(found[n]) == 1 and counts[found[n][0]] > 1 else found[n] for n in texts]


def _hints(
    images: Sequence[Record],
    missing: Sequence[int],
    matches: Sequence[list[Path]],
    index: ImageIndex,
) -> tuple[str, ...]:
    """Say for the first images that stay missing what their names may mean."""
    lost = [(i, match) for i, match in zip(missing, matches, strict=True) if len(match) != 1]
    hints = []
    for position, match in lost[:HINTS]:
        name = images[position].get('file_name')
        near = index.near(name) if type(name) is str and not match else None
        if match:
            hints.append(f'{name!r:.80} may be any of {listed([str(path) for path in match])}')
        elif near is not None:
            hints.append(f'{name!r:.80} is missing, did you mean {near!r}?')
    return tuple(hints)


def _folder(image_dirs: Sequence[Path], paths: Sequence[Path | None], root: Path) -> Path:
    """Choose the folder to which names are relative: the most likely, or one around all images."""
    first = image_dirs[0] if image_dirs else root
    folders = {path.parent for path in paths if path is not None}
    if all(folder.is_relative_to(first) for folder in folders):
        return first
    inside = [folder for folder in folders if folder.is_relative_to(root)]
    if not inside:
        return first
    common = Path(os.path.commonpath(inside))
    return common if len(inside) == len(folders) or not first.is_relative_to(common) else first
