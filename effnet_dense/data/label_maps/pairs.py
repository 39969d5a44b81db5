"""Pair images with their label maps by name.

images/{train,val}/NAME.jpg     or another format that OpenCV reads; NAME may include subfolders
labels/{train,val}/NAME.png     see `decode_label_map`

Names may have endings, such as NAME_leftImg8bit.png and NAME_gtFine_labelTrainIds.png.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from effnet_dense.data.grouping import group_names
from effnet_dense.data.image_files import IMAGE_SUFFIXES, list_files
from effnet_dense.data.splitting import split_names

LABEL_SUFFIXES = frozenset(
    {'.bmp', '.gif', '.npy', '.pbm', '.pgm', '.png', '.ppm', '.tif', '.tiff'}
)
"""Suffixes of formats that keep every value."""


@dataclass(frozen=True)
class DrawnPart:
    """One of the two parts of a dataset that has no splits (see `split_names`)."""

    name: str
    share: float
    seed: int = 0


@dataclass(frozen=True)
class LabelSplit:
    """A split of a dataset: its folders of images and of label maps, which may be the same.

    Attributes:
        image_dir: The images' folder; subfolders belong to their names.
        label_dir: The label maps'.
        image_end: Ending of the images' names, before the suffix.
        label_end: Ending of the label maps' names. Without one, and in the same folder, images
            are the JPEG files.
        list_file: File with a name per line; the others do not belong to the split.
        part: Part of what is left that belongs to the split; None for all.
        upright: Images are rotated by their EXIF orientation when they are loaded.
    """

    image_dir: Path
    label_dir: Path
    image_end: str = ''
    label_end: str = ''
    list_file: Path | None = None
    part: DrawnPart | None = None
    upright: bool = True

    @property
    def mixed(self) -> bool:
        """Whether images and label maps are in one folder."""
        return self.image_dir == self.label_dir

    def options(self) -> dict[str, Any]:
        """Return the arguments of `LabelMapDataset` that differ from its defaults."""
        found: dict[str, Any] = {}
        if self.image_end or self.label_end:
            found.update(image_end=self.image_end, label_end=self.label_end)
        if self.part is not None:
            found['part'] = vars(self.part).copy()
        return found


@dataclass(frozen=True)
class LabelPair:
    """An image and its label map."""

    image: Path
    label: Path


Files = dict[str, list[PurePath]]
"""Name without ending and suffix → files relative to their folder; more than one is a fault."""


@dataclass(frozen=True)
class SplitFiles:
    """The files of a split by name, and the listed names without an image."""

    images: Files
    labels: Files
    unknown: tuple[str, ...] = ()


def split_files(split: LabelSplit) -> SplitFiles:
    """List the files of a split; label maps of images in other parts are left out.

    Raises:
        OSError: The list of names cannot be read.
    """
    images = _by_name(_image_files(split), split.image_end)
    labels = _renamed(_by_name(_label_files(split), split.label_end), images)
    unknown: tuple[str, ...] = ()
    chosen: set[str] | None = None
    if split.list_file is not None:
        chosen = set(read_names(split.list_file))
        unknown = tuple(sorted(chosen - images.keys()))
    if split.part is not None:
        of_list = images.keys() if chosen is None else images.keys() & chosen
        chosen = set(_drawn(of_list, split.part))
    if chosen is not None:
        images = {name: files for name, files in images.items() if name in chosen}
        labels = {name: files for name, files in labels.items() if name in chosen}
    return SplitFiles(images, labels, unknown)


def _drawn(names: Iterable[str], part: DrawnPart) -> tuple[str, ...]:
    """Select a part's names; frames of one video stay together (see `group_names`)."""
    unique = sorted(set(names))
    if not unique:
        return ()
    groups = group_names(unique)[0].groups
    parts = split_names(unique, part.share, part.seed, groups.__getitem__)
    if not parts['val']:  # all images are of one video
        parts = split_names(unique, part.share, part.seed)
    return parts[part.name]


def drawn_by(split: LabelSplit) -> str:
    """Say which images of a split stay together when it is divided."""
    names = sorted(split_files(split).images)
    return group_names(names)[0].by if names else ''


def find_pairs(split: LabelSplit) -> list[LabelPair]:
    """Find the images that have a label map of the same name, sorted by name."""
    return pairs_of(split, split_files(split))


def pairs_of(split: LabelSplit, files: SplitFiles) -> list[LabelPair]:
    """Return the pairs of a split's files."""
    return [
        LabelPair(split.image_dir / files.images[name][0], split.label_dir / files.labels[name][0])
        for name in sorted(files.images.keys() & files.labels.keys())
    ]


def read_names(path: Path) -> list[str]:
    """Read names, one per line, also with the images' suffixes."""
    lines = (line.strip() for line in path.read_text(encoding='utf-8-sig').splitlines())
    files = [PurePath(line) for line in lines if line]
    return [
        file.with_suffix('').as_posix() if file.suffix.lower() in IMAGE_SUFFIXES else str(file)
        for file in files
    ]


def lossy_labels(split: LabelSplit) -> list[str]:
    """List files of lossy formats where only label maps should be."""
    if split.mixed:
        return []
    return [
        str(file)
        for file in list_files(split.label_dir)
        if file.suffix.lower() in IMAGE_SUFFIXES - LABEL_SUFFIXES
        and stem(file).endswith(split.label_end)
    ]


def _image_files(split: LabelSplit) -> Iterable[PurePath]:
    files = (f for f in list_files(split.image_dir) if f.suffix.lower() in IMAGE_SUFFIXES)
    if not split.mixed:
        return files
    if split.label_end:
        return (file for file in files if not stem(file).endswith(split.label_end))
    return (file for file in files if file.suffix.lower() not in LABEL_SUFFIXES)


def _label_files(split: LabelSplit) -> Iterable[PurePath]:
    return (f for f in list_files(split.label_dir) if f.suffix.lower() in LABEL_SUFFIXES)


def stem(file: PurePath) -> str:
    """Return a relative path without its suffix."""
    return file.with_suffix('').as_posix()


def _by_name(files: Iterable[PurePath], end: str) -> Files:
    """Group files by their name without ending and suffix, folders included."""
    found: Files = {}
    for file in files:
        name = stem(file)
        if name.endswith(end):
            found.setdefault(name.removesuffix(end), []).append(file)
    return found


def _renamed(labels: Files, images: Files) -> Files:
    """Give label maps the names of their images, which may differ in case and Unicode form."""
    if labels.keys() <= images.keys():
        return labels
    plain: dict[str, list[str]] = {}
    for name in images.keys() - labels.keys():
        plain.setdefault(_plain(name), []).append(name)
    found: Files = {}
    for name, files in labels.items():
        same = plain.get(_plain(name), []) if name not in images else []
        found.setdefault(same[0] if len(same) == 1 else name, []).extend(files)
    return found


def _plain(name: str) -> str:
    return unicodedata.normalize('NFC', name).casefold()
