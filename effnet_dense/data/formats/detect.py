"""Find out in which format a folder or a ZIP file holds a dataset, and read it."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path

from effnet_dense.data.folders import find_root, listing
from effnet_dense.data.formats.archive import extract
from effnet_dense.data.formats.boxes_csv import locate_csv
from effnet_dense.data.formats.coco import locate_coco
from effnet_dense.data.formats.cvat import locate_cvat
from effnet_dense.data.formats.folders import Folders
from effnet_dense.data.formats.found import FoundData
from effnet_dense.data.formats.instance_maps import locate_instance_maps
from effnet_dense.data.formats.labelme import locate_labelme
from effnet_dense.data.formats.layout import Layout, Locate
from effnet_dense.data.formats.voc import locate_voc
from effnet_dense.data.formats.yolo import locate_yolo

COCO = 'COCO JSON'
FORMATS: dict[str, Locate] = {
    COCO: locate_coco,
    'CVAT XML': locate_cvat,
    'YOLO': locate_yolo,
    'Pascal VOC': locate_voc,
    'labelme': locate_labelme,
    'CSV': locate_csv,
    'maps of instances': locate_instance_maps,
}
"""In the order of preference, among those that have a part to train with."""

EXPECTED = """\
  COCO JSON   annotations/instances_{train,val}2017.json or {train,val}.json,
              {train,valid,test}/_annotations.coco.json, result.json, labels.json, …
  CVAT XML    annotations.xml, of "CVAT for images 1.1"
  YOLO        data.yaml, obj.data, or images/ and labels/ with classes.txt
  Pascal VOC  Annotations/*.xml and JPEGImages/, or XML files beside the images
  labelme     JSON files beside the images
  CSV         a table with columns such as filename, class, xmin, ymin, xmax, ymax
  maps        images with maps of instances: Penn-Fudan, Cityscapes, or "instances" in classes.json
or a ZIP file of one of these,"""

DEPTH = 2
"""Levels of folders below the user's in which a dataset is looked for."""

MAX_FOLDERS = 1000
"""Folders that are looked into, at most."""

LABEL_MAPS = 'Label maps need an mmseg config, for segmentation.'


def find_dataset(folder: Path, unpack_to: Path) -> FoundData:
    """Detect the format of a dataset with boxes or masks, and read its annotations.

    Args:
        folder: The dataset's folder, a folder around it, or a ZIP file.
        unpack_to: Where the content of a ZIP file is written, and images that annotation files
            contain. Nothing is written unless it is needed.

    Raises:
        FileNotFoundError: There is no dataset; the message names what was looked for, what is
            there, and what comes near.
        ValueError: Annotations are faulty, or several files or datasets are possible.
    """
    folder = Path(os.path.expanduser(folder)).absolute()
    root = _unpacked(folder, unpack_to) if folder.is_file() else find_root(folder)
    folders = Folders(unpack_to)
    found, failures = _formats(root, folders)
    place = root
    if not found and not failures:
        place, found, failures = _deeper(root, folders)
    if not found:
        if failures:
            raise next(iter(failures.values()))
        raise FileNotFoundError(_nothing(root, folders))
    chosen = _choose(found)
    remarks = [] if place == root else [f'the dataset lies in {place.relative_to(root)}/']
    others = [f'{found[name].format} ({found[name].source})' for name in found if name != chosen]
    if others:
        remarks.append(f'{found[chosen].format} is used; there is also {", ".join(others)}')
    remarks += [f'as {name}, it cannot be read: {error}' for name, error in failures.items()]
    broken = [error for name, error in failures.items() if _precedes(name, chosen)]
    if broken and isinstance(broken[0], ValueError):
        raise broken[0]
    data = found[chosen].read()
    unused = [] if chosen == COCO else folders.remarks  # COCO's are an error if both have files
    return replace(data, remarks=(*remarks, *unused, *data.remarks))


def _unpacked(path: Path, unpack_to: Path) -> Path:
    """Extract an archive, and refuse other files."""
    if zipfile.is_zipfile(path) or path.suffix.lower() == '.zip':
        return extract(path, unpack_to)
    raise ValueError(f'expected a folder or a ZIP file, got {path}; give the folder that holds it')


def _formats(
    root: Path, folders: Folders
) -> tuple[dict[str, Layout], dict[str, ValueError | FileNotFoundError]]:
    """Look for each format: those that are there, and those that are there but faulty."""
    found, failures = {}, {}
    for name, locate in FORMATS.items():
        try:
            layout = locate(root, folders)
        except (ValueError, FileNotFoundError) as error:
            failures[name] = error
            continue
        if layout is not None:
            found[name] = layout
    return found, failures


def _precedes(name: str, other: str) -> bool:
    """Whether one format is preferred to another."""
    order = list(FORMATS)
    return order.index(name) < order.index(other)


def _choose(found: dict[str, Layout]) -> str:
    trained = [name for name, layout in found.items() if layout.parts & {'train', 'all'}]
    return next(iter([*trained, *found]))


def _deeper(
    root: Path, folders: Folders
) -> tuple[Path, dict[str, Layout], dict[str, ValueError | FileNotFoundError]]:
    """Look for a dataset in folders of the folder, and in theirs.

    Raises:
        ValueError: There are several.
    """
    level, looked = [root], 0
    for _ in range(DEPTH):
        level = [sub for folder in level for sub in folders(folder).folders.values()]
        looked += len(level)
        if looked > MAX_FOLDERS:
            break
        results = {folder: _formats(folder, folders) for folder in level}
        places = [folder for folder, (found, failures) in results.items() if found or failures]
        if len(places) > 1:
            names = ', '.join(str(place.relative_to(root)) for place in places[:10])
            raise ValueError(f'{root} holds {len(places)} datasets, expected one: {names}')
        if places:
            return places[0], *results[places[0]]
    return root, {}, {}


def _archives(root: Path, folders: Folders) -> list[Path]:
    return folders(root).with_suffix('.zip')


def _nothing(root: Path, folders: Folders) -> str:
    """Describe a folder without a dataset."""
    hints = [f'{path.name} is not read; give it as DIR' for path in _archives(root, folders)]
    hints = [*hints, *dict.fromkeys(folders.hints)][:3]
    images = next((path for path in folders.walk(root, DEPTH) if path.suffix != '.txt'), None)
    labels = any(root.glob('labels/*/*.png'))
    if not hints and images is not None and not labels:
        hints = ['there are images or other files, but no annotations in one of these formats']
    return (
        f'{root} holds no annotations of boxes or masks, which a config for detection needs. '
        f'Looked for\n{EXPECTED}\nbut it holds {listing(root)}'
        + ''.join(f'\n{hint}' for hint in hints)
        + (f'\n{LABEL_MAPS}' if labels else '')
    )
