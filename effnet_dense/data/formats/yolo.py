"""Read YOLO datasets: with data.yaml, with obj.data, and label files beside images.

ultralytics:   data.yaml, images/{train,val}/, labels/{train,val}/
Roboflow:      data.yaml, {train,valid,test}/images/, {train,valid,test}/labels/
darknet, CVAT: obj.data, obj.names, train.txt, obj_train_data/ with images and labels
Label Studio:  classes.txt, images/, labels/
labelImg:      classes.txt, images and labels in one folder
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from effnet_dense.data.formats.folders import Folders, existing
from effnet_dense.data.formats.found import FoundData, FoundSplit
from effnet_dense.data.formats.layout import Layout
from effnet_dense.data.formats.parts import UNNAMED, pick_parts
from effnet_dense.data.formats.records import Records
from effnet_dense.data.formats.text import read_text
from effnet_dense.data.formats.yolo_labels import BOX, ORIENTED, read_labels
from effnet_dense.data.formats.yolo_names import (
    NAME_FILES,
    PARTS,
    YoloNames,
    read_darknet,
    read_names,
    read_yaml,
)
from effnet_dense.data.formats.yolo_paths import have_label_folder, images_of, label_file, look_up
from effnet_dense.data.image_files import REFUSED, image_size
from effnet_dense.utils.counted import counted

USUAL = ('data.yaml', 'data.yml', 'dataset.yaml', 'dataset.yml')
PROBED = 50
"""Label files of which one must have an object, for a folder without data.yaml to be YOLO's."""


@dataclass(frozen=True)
class _Source:
    """A dataset before its labels are read."""

    format: str
    source: Path
    names: YoloNames
    images: Mapping[str, list[Path]]
    remarks: list[str] = field(default_factory=list)


def locate_yolo(root: Path, folders: Folders) -> Layout | None:
    """Find a YOLO dataset by data.yaml, by obj.data, or by label files beside images.

    Raises:
        ValueError: data.yaml cannot be read, or several files may be it.
        FileNotFoundError: The images that it names are not in the folder.
    """
    source = _from_yaml(root, folders) or _from_darknet(root, folders) or _bare(root, folders)
    if source is None:
        return None
    return Layout(
        format=source.format,
        source=str(source.source.relative_to(root)),
        parts=frozenset(source.images),
        read=lambda: _read(root, folders, source),
    )


def _from_yaml(root: Path, folders: Folders) -> _Source | None:
    found = {}
    for path in folders(root).with_suffix('.yaml', '.yml'):
        try:
            names = read_yaml(path)
        except ValueError as error:
            if path.name.lower() in USUAL:
                raise
            folders.hints.append(str(error))
            continue
        if names is not None:
            found[path] = names
    usual = next((path for path in found if path.name.lower() in USUAL), None)
    if usual is None and len(found) > 1:
        listed = ', '.join(path.name for path in found)
        raise ValueError(f'{root} has several files that may be its data.yaml: {listed}')
    if not found:
        return None
    chosen = usual or next(iter(found))
    names = found[chosen]
    if not names.parts:
        bare = _bare(root, folders, sure=True)
        return bare and _Source('YOLO', chosen, names, bare.images)
    return _named_parts(root, folders, chosen, names, 'YOLO')


def _named_parts(
    root: Path, folders: Folders, path: Path, names: YoloNames, format: str
) -> _Source:
    """Find the images of the parts that a file names; some tools name parts without images."""
    images: dict[str, list[Path]] = {}
    remarks: dict[str, str] = {}
    absent = []
    for part, entries in names.parts.items():
        found, missing = images_of(root, entries, names.base, folders)
        if found:
            images[part] = found
        if missing:
            absent += missing
            remarks[part] = (
                f'{path.name} names {", ".join(missing)} as {part}, which is not in the folder'
            )
    if not images:
        raise FileNotFoundError(
            f'{path} names no images that are in {root}: {", ".join(absent) or "its folders"} '
            + ('do not exist' if absent else 'are empty')
        )
    if 'val' in images:  # Roboflow names a test part that is not exported
        remarks.pop('test', None)
    return _Source(format, path, names, images, list(remarks.values()))


def _from_darknet(root: Path, folders: Folders) -> _Source | None:
    """Read obj.data, whose paths begin with data/, the folder that the dataset lay in."""
    path = next(iter(folders(root).with_suffix('.data')), None)
    if path is None:
        return None
    content = read_darknet(path)
    listed = look_up(root, content.get('names', 'obj.names'), folders, foreign=True)
    parts = {part: (f'/{content[key]}',) for key, part in PARTS.items() if content.get(key)}
    if listed is None or not parts:
        folders.hints.append(f'{path.name} names no list of classes or images')
        return None
    names = YoloNames(read_names(listed), parts)
    return _named_parts(root, folders, path, names, "darknet's YOLO")


def _bare(root: Path, folders: Folders, sure: bool = False) -> _Source | None:
    """Find label files beside images, or in labels/ beside images/.

    Args:
        root: The dataset's folder.
        folders: The folders' listings.
        sure: Text files beside images are label files, whatever they hold.
    """
    images_dir = folders.sub(root, 'images')
    images: dict[str, list[Path]] = {}
    for base in existing(images_dir, root):
        for part, folder in folders.parts(base).items():
            found = folders.images(folders.sub(folder, 'images') or folder)
            if found and part not in images:
                images[part] = found
    if not images:
        found = folders.images(images_dir) if images_dir else folders(root).images()
        images = {UNNAMED: found} if found else {}
    labelled = {
        part: found for part, found in images.items() if _has_labels(found, root, folders, sure)
    }
    if not labelled:
        _hint(root, folders, bool(images))
        return None
    images = labelled
    labels = [label_file(image, root, folders) for found in images.values() for image in found]
    places = {path.parent: None for path in labels if path is not None}
    listed = _name_file([root, *places], folders)
    if listed is None:
        remark = 'there is no list of class names: classes are called by their numbers'
        return _Source('YOLO', next(iter(places)), YoloNames(), images, [remark])
    return _Source('YOLO', listed, YoloNames(read_names(listed)), images)


def _hint(root: Path, folders: Folders, images: bool) -> None:
    """Note label files that have no image."""
    for place in existing(folders.sub(root, 'labels'), root):
        files = [path for path in folders.walk(place, 2) if path.suffix.lower() == '.txt']
        if any(map(_is_label_file, files[:PROBED])):
            missing = 'no images of the same names' if images else 'there are no images'
            where = place.relative_to(root).as_posix()
            folders.hints.append(f'{where}/ has label files of YOLO, but {missing}')
            return


def _name_file(places: list[Path], folders: Folders) -> Path | None:
    for place in dict.fromkeys([*places, *(place.parent for place in places[1:])]):
        for name in NAME_FILES:
            if name in folders(place).files:
                return folders(place).files[name]
    return None


def _has_labels(images: list[Path], root: Path, folders: Folders, sure: bool) -> bool:
    labels = (label_file(image, root, folders) for image in images)
    if not have_label_folder(images, root, folders):
        return False
    found = [path for path in labels if path is not None and path.name.lower() not in NAME_FILES]
    return (sure and bool(found)) or any(map(_is_label_file, found[:PROBED]))


def _is_label_file(path: Path) -> bool:
    """Whether a text file's first line is an object: five numbers or more."""
    try:
        lines = read_text(path).split('\n')
        words = next((line for line in lines if line.strip()), '').split()
        return len([float(word) for word in words]) >= BOX
    except ValueError:
        return False


def _read(root: Path, folders: Folders, source: _Source) -> FoundData:
    images = {part: found for part, found in source.images.items() if found}
    names = {part: _place(root, found) for part, found in images.items()}
    picked, remarks = pick_parts(images, names)
    counts = _Counts()
    read = {
        part: _read_part(root, folders, found, source.names, counts)
        for part, found in picked.items()
    }
    if not counts.labels:
        raise ValueError(
            f'{source.source}: none of its {counts.unlabelled} images has a label file; expected '
            'labels/NAME.txt for images/NAME, or NAME.txt beside it'
        )
    classes = dict(source.names.names or {})
    if not classes:
        used = {int(label) for records in read.values() for label in records.labels}
        classes = {index: str(index) for index in sorted(used)}
    splits = {}
    for part, records in read.items():
        counts.filled += records.fill_masks()
        records.labels = [classes[int(label)] for label in records.labels]
        splits[part] = FoundSplit(records.coco(_unique(classes, source)), (root,), source.source)
    all_remarks = (*source.remarks, *remarks, *counts.remarks(source.names.keypoints, folders))
    return FoundData(source.format, root, splits, all_remarks)


def _unique(classes: Mapping[int, str], source: _Source) -> list[str]:
    names = list(classes.values())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f'{source.source}: several classes have the name {twice[0]!r}')
    return names


def _place(root: Path, images: list[Path]) -> str:
    return images[0].parent.relative_to(root).as_posix() + '/'


@dataclass
class _Counts:
    """What label files have that is decided, or left out."""

    unlabelled: int = 0
    confidences: int = 0
    oriented: int = 0
    polygons: int = 0
    filled: int = 0
    labels: set[Path] = field(default_factory=set)

    def remarks(self, keypoints: int, folders: Folders) -> list[str]:
        """Describe what was found."""
        places = {path.parent for path in self.labels}
        beside = {path for place in places for path in folders(place).with_suffix('.txt')}
        lone = [path for path in beside - self.labels if _is_label_file(path)]
        own = 'has its' if self.filled == 1 else 'have their'
        files = counted(len(lone), 'label file has', 'label files have')
        unlabelled = counted(self.unlabelled, 'image has', 'images have')
        found = {
            f'{files} no image, as {min(lone, default="")}': len(lone),
            f'{unlabelled} no label file: no objects': self.unlabelled,
            f'the sixth column of {counted(self.confidences, "line")}, a confidence, is ignored': (
                self.confidences
            ),
            f'{counted(self.oriented, "line")} of nine columns read as polygons of four points; '
            'oriented boxes are written alike': self.oriented == self.polygons and self.oriented,
            'of pose labels, only the boxes are taken': keypoints,
            f'{counted(self.filled, "box")} among polygons {own} rectangle as mask': self.filled,
        }
        return [remark for remark, count in found.items() if count]


def _read_part(
    root: Path, folders: Folders, images: list[Path], names: YoloNames, counts: _Counts
) -> Records:
    records = Records()
    for path in images:
        size = _size(path)
        image = records.add_image(path.relative_to(root).as_posix(), size)
        label = label_file(path, root, folders)
        counts.unlabelled += label is None
        counts.labels |= {label} if label is not None else set()
        if label is None or size is None:  # checks name images that cannot be read
            continue
        for line in read_labels(label, size, names.names, names.keypoints):
            polygons = None if line.polygon is None else [line.polygon]
            counts.confidences += line.columns == BOX + 1 and polygons is None
            counts.oriented += line.columns == ORIENTED and polygons is not None
            counts.polygons += polygons is not None
            records.add(image, str(line.index), line.box, polygons)
    return records


def _size(path: Path) -> tuple[int, int] | None:
    """Read an image's size, upright; None for a file that is no image."""
    try:
        size = image_size(path)
    except REFUSED:
        return None
    if size is None:
        raise ValueError(f'{path} is too large for its size to be read, which its labels need')
    return size
