"""Find COCO JSON files and their images in the layouts of COCO and of the tools that export it.

COCO:          annotations/instances_train2017.json     train2017/ or images/train2017/
               annotations/{train,val}.json             images/ or images/{train,val}/
Roboflow:      {train,valid,test}/_annotations.coco.json, images beside
CVAT:          annotations/instances_{default,SUBSET}.json, images/ or images/SUBSET/
Label Studio:  result.json, images/
FiftyOne:      labels.json, data/; also train/ and val/ with both
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from effnet_dense.data.formats.coco_json import KEYS, missing_keys, other_task, read_coco_json
from effnet_dense.data.formats.folders import Folders, existing
from effnet_dense.data.formats.found import FoundData, FoundSplit
from effnet_dense.data.formats.layout import Layout
from effnet_dense.data.formats.parts import UNNAMED, part_of, pick_parts

ANNOTATIONS = ('annotations', 'annotation')
IMAGES = ('images', 'data', 'jpegimages', 'img', 'imgs')
"""Names of folders, in lower case."""

TOOLS = {
    '_annotations.coco.json': "Roboflow's COCO export",
    'instances_default.json': "CVAT's COCO export",
    'result.json': "Label Studio's COCO export",
    'labels.json': "FiftyOne's COCO export",
}
MANY = 50
"""A folder with more JSON files has one for each image, and others only by their names."""

PROBED = 20
"""Images by which the folders that may hold them are compared."""

_TYPICAL = re.compile(r'annotation|instance|result|label|coco|train|val|test', re.IGNORECASE)


@dataclass(frozen=True)
class _File:
    """An annotation file, the place it was found in, and the part it is for."""

    path: Path
    place: str
    part: str


def locate_coco(root: Path, folders: Folders) -> Layout | None:
    """Find COCO's annotation files, for each part in the most specific of the layouts.

    Raises:
        ValueError: Two files may be the same part's.
    """
    files = list(_files(root, folders))
    found: dict[str, _File] = {}
    for rule in RULES:
        matches = [file for file in files if rule(file)]
        for part in dict.fromkeys(file.part for file in matches):
            same = [file.path for file in matches if file.part == part]
            if part in found or (part == UNNAMED and found):
                continue
            if len(same) > 1:
                listed = ', '.join(str(path.relative_to(root)) for path in same)
                kind = 'the annotations' if part == UNNAMED else f'the annotations of {part!r}'
                raise ValueError(f'{root} has {len(same)} files that may be {kind}: {listed}')
            found[part] = next(file for file in matches if file.part == part)
    if not found:
        return None
    unused = [file.path for file in files if file not in found.values()]
    names = {part: str(file.path.relative_to(root)) for part, file in found.items()}
    tools = {TOOLS.get(file.path.name.lower(), 'COCO JSON') for file in found.values()}
    return Layout(
        format=sorted(tools)[-1],
        source=', '.join(names.values()),
        parts=frozenset(found),
        read=lambda: _read(root, folders, sorted(tools)[-1], found, unused),
    )


def _is_standard(file: _File) -> bool:
    name = file.path.name
    return file.place == 'annotations' and name in {
        f'instances_{part}2017.json' for part in ('train', 'val')
    }


def _is_short(file: _File) -> bool:
    return file.place == 'annotations' and file.path.name in ('train.json', 'val.json')


def _is_instances(file: _File) -> bool:
    named = file.path.name.lower().startswith('instances') and file.part != UNNAMED
    return file.place == 'annotations' and named


def _is_in_part(file: _File) -> bool:
    return file.place == 'part'


def _is_named(place: str) -> Callable[[_File], bool]:
    return lambda file: file.place == place and file.part != UNNAMED


def _is_unnamed(file: _File) -> bool:
    return file.place != 'part' and file.part == UNNAMED


RULES = (
    *(_is_standard, _is_short, _is_instances, _is_in_part),
    *(_is_named('annotations'), _is_named('root'), _is_unnamed),
)
"""The most specific layout first."""


def _files(root: Path, folders: Folders) -> Iterator[_File]:
    """Yield the JSON files that hold, or by their place should hold, COCO's records."""
    for name in ANNOTATIONS:
        yield from _coco_files(folders.sub(root, name), 'annotations', folders)
    yield from _coco_files(root, 'root', folders)
    bases = [folders.sub(root, name) for name in ('images', *ANNOTATIONS)]
    for base in existing(root, *bases):
        for part, folder in folders(base).part_folders():
            inner = [folders.sub(folder, name) for name in ANNOTATIONS]
            for place in (folder, *inner):
                for file in _coco_files(place, 'part', folders):
                    yield _File(file.path, 'part', part)


def _coco_files(folder: Path | None, place: str, folders: Folders) -> Iterator[_File]:
    files = folders(folder).with_suffix('.json')
    for path in files:
        if len(files) > MANY and not _TYPICAL.search(path.stem):
            continue
        file = _File(path, place, part_of(path.stem) or UNNAMED)
        if other_task(path):
            folders.hints.append(f'{path.name} is for another of COCO’s tasks than instances')
            continue
        missing = missing_keys(path)
        if missing and len(missing) < len(KEYS):
            folders.hints.append(f'{path.name} has no {" and no ".join(missing)}')
        if _is_standard(file) or _is_short(file) or not missing:
            yield file


def _read(
    root: Path, folders: Folders, format: str, found: Mapping[str, _File], unused: list[Path]
) -> FoundData:
    names = {part: str(file.path.relative_to(root)) for part, file in found.items()}
    picked, remarks = pick_parts(found, names)
    remarks += [f'{path.relative_to(root)} is not used' for path in unused]
    splits = {}
    for part, file in picked.items():
        data, encoding = read_coco_json(file.path)
        if encoding != 'utf-8':
            remarks.append(f'{file.path.relative_to(root)} is encoded as {encoding.upper()}')
        splits[part] = FoundSplit(
            data=data,
            image_dirs=_image_dirs(root, folders, file, data['images']),
            source=file.path,
            ann_file=file.path if encoding == 'utf-8' else None,
            states_areas=True,
        )
    return FoundData(format, root, splits, tuple(remarks))


def _image_dirs(
    root: Path, folders: Folders, file: _File, images: list[dict[str, object]]
) -> tuple[Path, ...]:
    """List the folders that may hold a part's images, those that hold the first ones first."""
    label = re.sub(r'^instances_', '', file.path.stem.lower())
    names = dict.fromkeys([label, *_part_names(root, folders, file.part)])
    beside = file.path.parent
    candidates = existing(
        *(folders.sub(root, name) for name in names),
        *([beside] if file.place == 'part' else []),
        *(folders.sub(root, kind, name) for kind in IMAGES for name in names),
        *(folders.sub(base, name) for base in (beside, beside.parent) for name in IMAGES),
        *(folders.sub(root, name, kind) for name in names for kind in IMAGES),
        *(folders.sub(root, name) for name in IMAGES),
        beside if file.place != 'annotations' or folders(beside).images() else None,
        root,
    )
    probes = [str(image.get('file_name', '')) for image in itertools.islice(images, PROBED)]
    return tuple(sorted(candidates, key=lambda folder: -_hits(folder, probes)))


def _part_names(root: Path, folders: Folders, part: str) -> list[str]:
    """Name the folders called after a part, beside the annotations or in a folder of images."""
    bases = [root, *(folders.sub(root, name) for name in IMAGES)]
    parts = [folders(base).parts().get(part) for base in bases]
    return [folder.name.lower() for folder in parts if folder is not None]


def _hits(folder: Path, names: list[str]) -> int:
    """Count the images that a folder holds; names that lead out of it are not looked up."""
    safe = [name for name in names if name and '\0' not in name]
    inside = [PurePosixPath(name) for name in safe if '..' not in PurePosixPath(name).parts]
    return sum(_is_file(folder / name) for name in inside if not name.is_absolute())


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or not of the locale's letters
        return False
