"""Find where a folder keeps its images and label maps: the layouts of tools and datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from effnet_dense.data.folders import listing
from effnet_dense.data.image_files import IMAGE_SUFFIXES, list_files
from effnet_dense.data.label_maps.endings import find_endings, find_label_end
from effnet_dense.data.label_maps.pairs import LABEL_SUFFIXES, DrawnPart, LabelSplit, drawn_by
from effnet_dense.data.splitting import VAL_SHARE

IMAGE_DIRS = (
    *('images', 'image', 'imgs', 'img', 'img_dir', 'jpegimages', 'leftimg8bit', 'rgb', 'photos'),
    *('frames', 'input', 'inputs', 'pngimages'),
)
LABEL_DIRS = (
    *('labels', 'label', 'masks', 'mask', 'annotations', 'annotation', 'ann_dir', 'annots'),
    *('segmentationclasspng', 'segmentationclass', 'gtfine', 'gtcoarse', 'gt', 'groundtruth'),
    *('ground_truth', 'segmentation', 'segmentations', 'label_maps', 'labelmaps', 'targets'),
    *('masks_human', 'trimaps', 'pedmasks'),
)
PARTS: Mapping[str, tuple[str, ...]] = {
    'train': ('train', 'training', 'trn'),
    'val': ('val', 'valid', 'validation', 'dev', 'test', 'testing'),
}
"""Names of the splits' folders, in lower case; the first that exists is used."""

SIBLING_ENDS = ('annot', '_annot', '_labels', '_label', '_masks', '_mask', '_gt', 'labels', 'masks')
"""Endings of a label map folder beside its image folder: train/ and trainannot/ (SegNet)."""

LIST_DIRS = ('splits', 'lists', 'ImageSets')
"""Folders with lists of the splits' images, train.txt and val.txt, beside those of images."""

DEEPER = 3
"""Levels below the user's folder in which a dataset is looked for."""


@dataclass(frozen=True)
class Layout:
    """Where a dataset keeps its splits.

    Attributes:
        root: The folder that holds it; below the user's if the dataset lies deeper.
        parts: 'train', 'val' or both; 'all' if the dataset has one part.
        remarks: What was decided, one sentence each.
        missing: Splits that have images or label maps only → the folder that they lack.
    """

    root: Path
    parts: Mapping[str, LabelSplit]
    remarks: tuple[str, ...] = ()
    missing: Mapping[str, Path] = field(default_factory=dict)


def find_layout(
    root: Path, splits: Sequence[str], share: float = VAL_SHARE, seed: int = 0
) -> Layout | None:
    """Find the splits that are needed; None if the folder has no images with label maps.

    Args:
        root: The user's folder.
        splits: 'train', 'val' or both.
        share: Of a dataset with one part, the share that becomes 'val'; 1 for all, to test.
        seed: Of that split.

    Raises:
        FileNotFoundError: Folders of a split are missing.
    """
    found = search_layout(root)
    return None if found is None else needed_parts(found, root, splits, share, seed)


def needed_parts(
    found: Layout, root: Path, splits: Sequence[str], share: float = VAL_SHARE, seed: int = 0
) -> Layout:
    """Select the splits that are needed; a single part is split (arguments: see `find_layout`).

    Raises:
        FileNotFoundError: Folders of a split are missing.
        ValueError: No image would be trained on.
    """
    if missing := [str(found.missing[name]) for name in splits if name in found.missing]:
        raise FileNotFoundError(f'expected folders that are missing: {", ".join(missing)}')
    remarks = list(found.remarks)
    if found.root != root:
        remarks.insert(0, f'the dataset lies in {found.root.relative_to(root)}/')
    chosen = {name: part for name in splits if (part := found.parts.get(name)) is not None}
    if len(chosen) < len(splits):
        source = found.parts.get('all') or found.parts.get('train')
        if source is None:
            raise FileNotFoundError(
                f'{root} has no split to train on, only {sorted(found.parts)}; it holds '
                f'{listing(root)}'
            )
        if share == 1:
            return _all_as_val(found, source, splits)
        drawn = {name: replace(source, part=DrawnPart(name, share, seed)) for name in splits}
        remarks.append(
            f'there is one part, {_named(source, found.root)}: {share:.0%} of its images, chosen '
            f'by their names and seed {seed}, are val ({drawn_by(source)})'
        )
        chosen = drawn
    return Layout(found.root, {name: chosen[name] for name in splits}, tuple(remarks))


def _all_as_val(found: Layout, source: LabelSplit, splits: Sequence[str]) -> Layout:
    """Evaluate all images of a dataset with one part."""
    if 'train' in splits:
        raise ValueError('--val-share 1 leaves no image to train on')
    return Layout(found.root, {'val': source}, (*found.remarks, 'all images are evaluated'))


def _named(split: LabelSplit, root: Path) -> str:
    listed = split.list_file
    place = listed if listed is not None and listed.is_relative_to(root) else split.image_dir
    if not place.is_relative_to(root):
        return str(place)
    return str(place.relative_to(root)) if place != root else 'the folder itself'


def search_layout(root: Path) -> Layout | None:
    """Try every layout in a folder, then in its only subfolder."""
    folder = root
    for _ in range(DEEPER + 1):
        for attempt in (_lists, _parts_below, _parts_above, _siblings, _flat, _mixed):
            layout = attempt(folder)
            if layout is not None:
                return layout
        below = [*subfolders(folder).values()]
        if len(below) != 1:
            return None
        folder = below[0]
    return None


def subfolders(folder: Path) -> dict[str, Path]:
    """Return the visible folders in a folder, by their names in lower case."""
    return {
        path.name.lower(): path
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(('.', '__MACOSX'))
    }


def _first(folders: Mapping[str, Path], names: Sequence[str]) -> Path | None:
    return next((folders[name] for name in names if name in folders), None)


def _pairs_of_dirs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the folders of images with those of label maps, the most likely first."""
    below = subfolders(folder)
    images = [below[name] for name in IMAGE_DIRS if name in below]
    labels = [below[name] for name in LABEL_DIRS if name in below]
    yield from ((image, label) for label in labels for image in images)


def _lists(folder: Path) -> Layout | None:
    """VOC: JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/{train,val}.txt."""
    lists = folder / 'ImageSets' / 'Segmentation'
    if not lists.is_dir():
        return None
    for image_dir, label_dir in _pairs_of_dirs(folder):
        if not _has_labels(label_dir):
            continue
        files = {path.stem.lower(): path for path in sorted(lists.glob('*.txt'))}
        plain = LabelSplit(image_dir, label_dir, *_endings(image_dir, label_dir))
        parts, remarks = _choose(files)
        if not parts and files:
            name = next(iter(files)) if len(files) == 1 else 'trainval'
            parts = {'all': files[name]} if name in files else {}
        if parts:
            return Layout(
                folder,
                {name: replace(plain, list_file=path) for name, path in parts.items()},
                remarks,
            )
    return None


def _choose(found: Mapping[str, Path]) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Choose each split's folder or file by its name; 'test' is val only where nothing else is."""
    parts: dict[str, Path] = {}
    remarks = []
    for part, names in PARTS.items():
        path = _first(found, names)
        if path is not None:
            parts[part] = path
            if path.stem.lower() != part:
                remarks.append(f'{path.name} is used as {part}')
    return parts, tuple(remarks)


def _parts_below(folder: Path) -> Layout | None:
    """images/{train,val} and labels/{train,val}, also with other names of the four."""
    for image_dir, label_dir in _pairs_of_dirs(folder):
        images, remarks = _choose(subfolders(image_dir))
        labels = _choose(subfolders(label_dir))[0]
        if not (images or labels) or not _has_labels(label_dir):
            continue  # such as YOLO's text files
        missing = {
            part: (image_dir if part in labels else label_dir) / (labels | images)[part].name
            for part in images.keys() ^ labels.keys()
        }
        both = images.keys() & labels.keys()
        parts = {part: _with_endings(images[part], labels[part]) for part in sorted(both)}
        return Layout(folder, parts, remarks, missing)
    return None


def _parts_above(folder: Path) -> Layout | None:
    """train/images and train/masks, val/images and val/masks; or both kinds in train/."""
    below, remarks = _choose(subfolders(folder))
    parts: dict[str, LabelSplit] = {}
    for part, place in below.items():
        split = _split_in(place)
        if split is not None:
            parts[part] = split
    return Layout(folder, parts, remarks) if parts else None


def _split_in(place: Path) -> LabelSplit | None:
    """Find a split's images and label maps in its folder."""
    for image_dir, label_dir in _pairs_of_dirs(place):
        if _has_labels(label_dir):
            return _with_endings(image_dir, label_dir)
    return _mixed_split(place)


def _siblings(folder: Path) -> Layout | None:
    """train/ and trainannot/, val/ and valannot/ (SegNet's CamVid); train_images/, train_masks/."""
    below = subfolders(folder)
    parts: dict[str, LabelSplit] = {}
    remarks: list[str] = []
    for part, names in PARTS.items():
        for name in names:
            image = _first(below, (name, *(f'{name}_{kind}' for kind in IMAGE_DIRS)))
            label = _first(below, [name + end for end in SIBLING_ENDS])
            if image and label and _has_labels(label) and part not in parts:
                parts[part] = _with_endings(image, label)
                if name != part:
                    remarks.append(f'{image.name} is used as {part}')
    return Layout(folder, parts, tuple(remarks)) if parts else None


def _flat(folder: Path) -> Layout | None:
    """images/ and masks/, without splits or with train.txt and val.txt."""
    for image_dir, label_dir in _pairs_of_dirs(folder):
        if _has_labels(label_dir) and _has_files(image_dir, IMAGE_SUFFIXES):
            plain = _with_endings(image_dir, label_dir)
            for place in (folder, *(folder / name for name in LIST_DIRS)):
                files = {path.stem.lower(): path for path in sorted(place.glob('*.txt'))}
                parts, remarks = _choose(files)
                if 'train' in parts:
                    listed = {name: replace(plain, list_file=at) for name, at in parts.items()}
                    return Layout(folder, listed, remarks)
            return Layout(folder, {'all': plain})
    return None


def _mixed(folder: Path) -> Layout | None:
    """Images and label maps in one folder."""
    split = _mixed_split(folder)
    return None if split is None else Layout(folder, {'all': split})


def _mixed_split(folder: Path) -> LabelSplit | None:
    files = [file for file in list_files(folder) if file.suffix.lower() in IMAGE_SUFFIXES]
    end = find_label_end({file.with_suffix('').as_posix() for file in files})
    if end is not None:
        return LabelSplit(folder, folder, '', end)
    lossless = {f.with_suffix('') for f in files if f.suffix.lower() in LABEL_SUFFIXES}
    lossy = {f.with_suffix('') for f in files if f.suffix.lower() not in LABEL_SUFFIXES}
    return LabelSplit(folder, folder) if lossless & lossy else None


def _with_endings(image_dir: Path, label_dir: Path) -> LabelSplit:
    return LabelSplit(image_dir, label_dir, *_endings(image_dir, label_dir))


def _endings(image_dir: Path, label_dir: Path) -> tuple[str, str]:
    return find_endings(_stems(image_dir, IMAGE_SUFFIXES), _stems(label_dir, LABEL_SUFFIXES))


def _stems(folder: Path, suffixes: frozenset[str]) -> set[str]:
    return {
        file.with_suffix('').as_posix()
        for file in list_files(folder)
        if file.suffix.lower() in suffixes
    }


def _has_labels(folder: Path) -> bool:
    """Whether a folder holds label maps, perhaps of a format that is refused later."""
    return _has_files(folder, LABEL_SUFFIXES | IMAGE_SUFFIXES)


def _has_files(folder: Path, suffixes: frozenset[str]) -> bool:
    return any(file.suffix.lower() in suffixes for file in list_files(folder))
