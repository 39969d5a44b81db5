"""`--skip-bad`: write a COCO split without its faulty records, and the list of dropped records.

Records are dropped for faults that `check_coco` reports as errors of a single image or annotation;
a training split also loses what mmdet drops silently. Errors of the file as a whole, such as those
of its categories, remain errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from effnet_dense.data.coco.annotation_file import CocoSplit, Record, read_coco
from effnet_dense.data.coco.faults import Fault, Reading, drop_faulty, find_faults
from effnet_dense.data.resizing import Scale
from effnet_dense.data.skipping import LeftOut, SkipBad
from effnet_dense.utils.counted import counted
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.outputs import write_output


@dataclass(frozen=True)
class CleanSplit:
    """A split whose annotation file has no faulty records, and what was dropped from it."""

    split: CocoSplit
    images: int
    left_out_images: tuple[LeftOut, ...]
    left_out_annotations: tuple[LeftOut, ...]

    def __str__(self) -> str:
        file = self.split.ann_file
        return (
            f'left out of {file.stem}: {len(self.left_out_images)} of '
            f'{counted(self.images, "image")} and '
            f'{counted(len(self.left_out_annotations), "annotation")}, see {_list_path(file)}'
        )


def clean_coco(
    name: str,
    split: CocoSplit,
    skip: SkipBad,
    masks: bool = False,
    evaluated: bool = True,
    scale: Scale | None = None,
    data: Record | None = None,
) -> CleanSplit:
    """Write a split without its faulty records, and skipped_<name>.json, the list of them.

    Annotations of a dropped image are dropped with it, but not listed.

    Args:
        name: The split's name, 'train' or 'val'.
        split: The split to clean. Only the headers of training images are read; evaluation images
            are decoded, because a metric must not depend on when one fails.
        skip: Where to write, and how much may be dropped.
        masks: Require a 'segmentation' in every annotation, and decode it.
        evaluated: The split is scored by pycocotools, which counts boxes that mmdet would not
            train on.
        scale: The smallest to which the split's images are resized (see `smallest_scale`).
        data: The annotation file's content, if it has been read.

    Raises:
        FileNotFoundError: The annotation file is missing.
        ValueError: The file lacks COCO's structure, or has more faulty records than allowed.
    """
    data = read_coco(split.ann_file) if data is None else data
    reading: Reading = 'pixels' if evaluated else 'headers'
    faults = list(
        find_faults(data, split.image_dir, masks, evaluated, reading, split.loader, scale)
    )
    dropped = [fault for fault in faults if fault.is_dropped(training=not evaluated)]
    images, annotations = (_list_dropped(dropped, key) for key in ('images', 'annotations'))
    for key, left_out in (('images', images), ('annotations', annotations)):
        _check_limit(split, key, left_out, len(data[key]), skip)
    clean = replace(split, ann_file=skip.folder / f'{name}.json')
    lists = dict(images=[asdict(i) for i in images], annotations=[asdict(a) for a in annotations])
    _write(clean.ann_file, drop_faulty(data, faults, training=not evaluated))
    _write(_list_path(clean.ann_file), lists, indent=1)
    return CleanSplit(clean, len(data['images']), images, annotations)


def _list_path(ann_file: Path) -> Path:
    return ann_file.with_name(f'skipped_{ann_file.name}')


def _list_dropped(faults: Iterable[Fault], key: str) -> tuple[LeftOut, ...]:
    """List each record of `key` once, in the file's order, with all of its faults."""
    names: dict[int, str] = {}
    whys: dict[int, list[str]] = {}
    for fault in sorted((f for f in faults if f.key == key), key=lambda f: f.index):
        names[fault.index] = fault.name
        whys.setdefault(fault.index, []).append(fault.why)
    return tuple(LeftOut(names[index], '; '.join(whys[index])) for index in names)


def _check_limit(
    split: CocoSplit, key: str, left_out: Sequence[LeftOut], total: int, skip: SkipBad
) -> None:
    allowed = skip.allowed(total)
    if len(left_out) > allowed:
        listed = '\n'.join(f'  {record.name}: {record.why}' for record in left_out)
        raise ValueError(
            f'{split.quoted}: {len(left_out)} of {total} {key} are faulty, --skip-bad leaves '
            f'out at most {allowed} ({skip.limit:.0%}):\n{listed}'
        )


def _write(path: Path, content: object, indent: int | None = None) -> None:
    """Write JSON atomically: several training processes may do so at once."""
    write_output(path, json_text(content, indent), fsync=False)
