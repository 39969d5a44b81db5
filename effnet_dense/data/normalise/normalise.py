"""Repair all parts of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from effnet_dense.data.formats.found import FoundSplit
from effnet_dense.data.normalise.categories import drop_unused_roots, repair_names, unify_classes
from effnet_dense.data.normalise.fields import free_crowds, repair_fields
from effnet_dense.data.normalise.file_names import ImageFiles, find_images
from effnet_dense.data.normalise.ids import repair_ids
from effnet_dense.data.normalise.image_names import name_images
from effnet_dense.data.normalise.repairs import Record, Repair, RepairLog
from effnet_dense.data.normalise.sizes import repair_sizes, turn_sizes
from effnet_dense.utils.progress import activity

KEYS = ('images', 'annotations', 'categories')


@dataclass(frozen=True)
class NormalPart:
    """A part whose records have been repaired.

    Attributes:
        data: COCO's records.
        image_dir: The folder to which file names are relative.
        paths: Each image's file; None if it is missing.
        source: What messages quote.
        ann_file: The source's own file, if it holds just `data`.
        repairs: What was changed.
        hints: On missing images: what their names may mean.
    """

    data: Record
    image_dir: Path
    paths: tuple[Path | None, ...]
    source: Path
    ann_file: Path | None = None
    repairs: tuple[Repair, ...] = ()
    hints: tuple[str, ...] = ()


def normalise(
    parts: Mapping[str, FoundSplit], root: Path, upright: Mapping[str, bool] | None = None
) -> dict[str, NormalPart]:
    """Repair what can be derived in the records of a dataset's parts.

    Args:
        parts: 'train', 'val' or both. Their records are left unchanged.
        root: The dataset's folder.
        upright: Part → its images are loaded as their EXIF orientation says; by default they are.
    """
    logs = {part: RepairLog() for part in parts}
    given, parts = parts, name_images(parts, logs)
    files = find_images(parts, root, logs)
    repaired = {}
    for part, split in parts.items():
        with activity(f'Repairing {split.source.name}'):
            turn = (upright or {}).get(part, True)
            repaired[part] = _repair(split, files[part], turn, logs[part])
    records = free_crowds({part: data for part, (data, _) in repaired.items()}, logs)
    records = drop_unused_roots(records, logs)
    if 'val' in logs:
        records = unify_classes(records, logs['val'])
    result = {}
    for part, split in parts.items():
        same = all(records[part][key] is given[part].data[key] for key in KEYS)
        result[part] = NormalPart(
            records[part],
            files[part].folder,
            repaired[part][1],
            split.source,
            split.ann_file if same else None,
            logs[part].repairs(),
            files[part].hints,
        )
    return result


def _repair(
    split: FoundSplit, files: ImageFiles, upright: bool, log: RepairLog
) -> tuple[Record, tuple[Path | None, ...]]:
    """Repair a part's records; also return each image's file."""
    data = repair_ids({**split.data, 'images': files.images}, log)
    data['categories'] = repair_names(data['categories'], log)
    paths = _paths(data['images'], split.data['images'], files.paths)
    data['images'] = repair_sizes(data['images'], paths, upright, log)
    data['images'] = turn_sizes(data, paths, upright, log)
    images, annotations = data['images'], data['annotations']
    data['annotations'] = repair_fields(annotations, images, log, split.states_areas)
    return data, tuple(paths)


def _paths(
    images: list[Record], before: list[Record], paths: list[Path | None]
) -> list[Path | None]:
    """Select the files of the images that are left: repeated records are not."""
    if len(images) == len(before):
        return paths
    names = [str(image.get('file_name')) for image in before]
    kept = dict(zip(names, paths, strict=True))
    return [kept.get(str(image.get('file_name'))) for image in images]
