"""Pair images with their label maps by name.

images/{train,val}/NAME.jpg     or another format that OpenCV reads; NAME may include subfolders
labels/{train,val}/NAME.png     see `decode_label_map`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from effnet_dense.data.image_files import IMAGE_SUFFIXES, list_files

LABEL_SUFFIX = '.png'


@dataclass(frozen=True)
class LabelSplit:
    """A split of a dataset: its folders of images and of label maps."""

    image_dir: Path
    label_dir: Path


@dataclass(frozen=True)
class LabelPair:
    """An image and its label map."""

    image: Path
    label: Path


def locate_labels(root: Path, splits: Sequence[str]) -> Mapping[str, LabelSplit]:
    """Find the folders of each split.

    Raises:
        FileNotFoundError: A folder of images or of label maps is missing.
    """
    parts = {name: LabelSplit(root / 'images' / name, root / 'labels' / name) for name in splits}
    missing = [
        str(folder)
        for part in parts.values()
        for folder in (part.image_dir, part.label_dir)
        if not folder.is_dir()
    ]
    if missing:
        raise FileNotFoundError(f'expected folders that are missing: {", ".join(missing)}')
    return parts


def find_pairs(split: LabelSplit) -> list[LabelPair]:
    """Find the images that have a label map of the same stem, sorted by stem."""
    images, labels = list_images(split.image_dir), list_labels(split.label_dir)
    return [
        LabelPair(split.image_dir / images[stem][0], split.label_dir / labels[stem][0])
        for stem in sorted(images.keys() & labels.keys())
    ]


def list_images(folder: Path) -> dict[str, list[PurePath]]:
    """Group the images of a folder by their stem; more than one image per stem is a fault."""
    return _by_stem(f for f in list_files(folder) if f.suffix.lower() in IMAGE_SUFFIXES)


def list_labels(folder: Path) -> dict[str, list[PurePath]]:
    """Group the label maps of a folder by their stem."""
    return _by_stem(f for f in list_files(folder) if f.suffix.lower() == LABEL_SUFFIX)


def _by_stem(files: Iterable[PurePath]) -> dict[str, list[PurePath]]:
    """Group files by their name without suffix, folders included."""
    found: dict[str, list[PurePath]] = {}
    for file in files:
        found.setdefault(file.with_suffix('').as_posix(), []).append(file)
    return found
