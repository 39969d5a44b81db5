"""Read "CVAT for images 1.1": annotations.xml with boxes, polygons, masks and ellipses.

    <annotations><version>1.1</version><meta>…<labels><label><name>cat</name>…</meta>
      <image id="0" name="a.jpg" subset="Train" width="640" height="480">
        <box label="cat" xtl="1.00" ytl="2.00" xbr="30.00" ybr="40.00" rotation="30.00"/>
        <polygon label="cat" points="1.00,2.00;30.00,2.00;30.00,40.00" group_id="1"/>
        <mask label="cat" rle="3, 5, 2, 4" left="10" top="20" width="7" height="2"/>
        <ellipse label="cat" cx="20.00" cy="20.00" rx="5.00" ry="9.00" rotation="30.00"/>

Sources: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/ and
https://docs.cvat.ai/docs/other/xml_format. Polygons, masks and ellipses of a label with the same
group_id are one object, as in CVAT's COCO export. Run lengths go along rows, zeros first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from effnet_dense.data.formats.cvat_shapes import CvatShape, merged, read_shape
from effnet_dense.data.formats.folders import Folders, existing
from effnet_dense.data.formats.found import FoundData, FoundSplit
from effnet_dense.data.formats.layout import Layout
from effnet_dense.data.formats.parts import UNNAMED, part_of, pick_parts
from effnet_dense.data.formats.records import Records
from effnet_dense.data.formats.xml_file import read_xml, root_tag
from effnet_dense.utils.counted import counted

FORMAT = 'CVAT XML'
PROBED = 20
SHAPES = ('box', 'polygon', 'mask', 'ellipse')
AREALESS = ('tag', 'points', 'polyline', 'skeleton', 'cuboid')
"""Types of labels that cannot have boxes or masks."""
EXPORT = "export the task as 'CVAT for images 1.1'"


@dataclass
class _Image:
    """An image and its shapes."""

    size: tuple[int, int]
    source: Path
    shapes: list[CvatShape] = field(default_factory=list)


@dataclass
class _Content:
    """What files hold: labels in order with their types, part → images by name."""

    labels: dict[str, str] = field(default_factory=dict)
    parts: dict[str, dict[str, _Image]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    grouped: int = 0
    filled: int = 0

    def classes(self) -> list[str]:
        """Return labels that may have boxes or masks, and others that are used."""
        images = (image for images in self.parts.values() for image in images.values())
        used = {shape.label: '' for image in images for shape in image.shapes}
        drawn = [label for label, kind in self.labels.items() if kind not in AREALESS]
        return [label for label in self.labels | used if label in used or label in drawn]

    def remarks(self) -> Iterator[str]:
        """Describe what is left out or decided."""
        for kind, number in sorted(self.skipped.items()):
            yield f'{number} × <{kind}>, which has no area, is left out'
        if self.grouped:
            objects = counted(self.grouped, 'object has', 'objects have')
            yield f'{objects} several shapes, of the same group'
        if self.filled:
            own = 'has its' if self.filled == 1 else 'have their'
            yield f'{counted(self.filled, "box")} among other shapes {own} rectangle as mask'


def locate_cvat(root: Path, folders: Folders) -> Layout | None:
    """Find XML files with the root <annotations>, in the folder or in those of its parts."""
    files: dict[Path, str] = {}
    for folder in existing(root, folders.sub(root, 'annotations')):
        files |= {path: part_of(path.stem) or UNNAMED for path in _xml_files(folders, folder)}
    for part, folder in folders.parts(root).items():
        files |= {path: part for path in _xml_files(folders, folder)}
    if not files:
        return None
    return Layout(
        format=FORMAT,
        source=', '.join(path.relative_to(root).as_posix() for path in list(files)[:3]),
        parts=frozenset(files.values()),
        read=lambda: _read(root, folders, files),
    )


def _xml_files(folders: Folders, folder: Path) -> list[Path]:
    files = folders(folder).with_suffix('.xml')
    if not any(root_tag(path) == 'annotations' for path in files[:PROBED]):
        return []
    return [path for path in files if root_tag(path) == 'annotations']


def _read(root: Path, folders: Folders, files: dict[Path, str]) -> FoundData:
    content = _Content()
    for path, part in files.items():
        _read_file(path, part, content)
    if not content.parts:
        listed = ', '.join(path.name for path in files)
        raise ValueError(f'{root}: {listed} holds no images')
    names = {part: f'the subset {part!r}' for part in content.parts}
    picked, remarks = pick_parts(content.parts, names)
    classes = content.classes()
    read = {part: _records(images, content) for part, images in picked.items()}
    content.filled = sum(records.fill_masks() for records in read.values())
    source = next(iter(files)) if len(files) == 1 else next(iter(files)).parent
    splits = {
        part: FoundSplit(records.coco(classes), _image_dirs(root, folders, part), source)
        for part, records in read.items()
    }
    return FoundData(FORMAT, root, splits, (*remarks, *content.remarks()))


def _image_dirs(root: Path, folders: Folders, part: str) -> tuple[Path, ...]:
    images = folders.sub(root, 'images')
    own = folders(root).parts().get(part)
    return existing(
        folders(images).parts().get(part), folders.sub(own, 'images'), own, images, root
    )


def _read_file(path: Path, part: str, content: _Content) -> None:
    """Add a file's images; a job may hold some that another file holds, too."""
    for element in read_xml(path):
        if element.tag == 'meta':
            content.labels |= _labels(element) | content.labels
        elif element.tag == 'track':
            raise ValueError(f'{path} holds tracks, without the names of images; {EXPORT}')
        elif element.tag == 'image':
            name, image = element.get('name', ''), _Image(_size(element, path), path)
            if not name or '\0' in name:
                raise ValueError(f'{path}: an <image> has no name')
            images = content.parts.setdefault(part_of(element.get('subset', '')) or part, {})
            known = images.setdefault(name, image)
            if known.size != image.size:
                raise ValueError(f'{path}: {name} has two sizes, {known.size} and {image.size}')
            _add_shapes(element, name, path, known, content)


def _add_shapes(element: Element, name: str, path: Path, image: _Image, content: _Content) -> None:
    """Add an image's shapes, but not those that another file has already added."""
    for child in element:
        if child.tag not in SHAPES:
            content.skipped[child.tag] += 1
            continue
        try:
            shape = read_shape(child)
        except ValueError as error:
            raise ValueError(f'{path}, image {name!r}, <{child.tag}>: {error}') from None
        if image.source == path or shape not in image.shapes:
            image.shapes.append(shape)


def _labels(meta: Element) -> dict[str, str]:
    """Read labels and their types in order; those of skeletons' points have a <parent>."""
    found = {}
    for label in meta.iter('label'):
        name = label.findtext('name', '').strip()
        if name and label.find('parent') is None:
            found[name] = label.findtext('type', '').strip()
    return found


def _size(element: Element, path: Path) -> tuple[int, int]:
    sides = element.get('width', ''), element.get('height', '')
    if not all(side.isdecimal() and 0 < len(side) < 9 for side in sides):
        raise ValueError(
            f'{path}, image {element.get("name", "")!r}: expected width and height, got '
            f'{sides[0]!r:.20} and {sides[1]!r:.20}'
        )
    return int(sides[0]), int(sides[1])


def _records(images: dict[str, _Image], content: _Content) -> Records:
    records = Records()
    for name, image in images.items():
        number = records.add_image(name, image.size)
        objects: dict[tuple[str, str], list[CvatShape]] = {}
        for i, shape in enumerate(image.shapes):
            group = f'group {shape.group}' if shape.group else f'shape {i}'
            objects.setdefault((shape.label, group), []).append(shape)
        for (label, _), shapes in objects.items():
            content.grouped += len(shapes) > 1
            try:
                box, segmentation = merged(shapes, image.size)
            except ValueError as error:
                raise ValueError(f'{image.source}, image {name!r}: {error}') from None
            records.add(number, label, box, segmentation)
    return records
