"""`--data DIR`: a folder in COCO's layout → its splits and class names, checked.

Two layouts are supported, COCO's own and a short one:

    annotations/instances_train2017.json   train2017/      annotations/train.json   images/[train/]
    annotations/instances_val2017.json     val2017/        annotations/val.json     images/[val/]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from effnet_dense.data.coco.annotation_file import CocoSplit
from effnet_dense.data.coco.check import CocoReport, check_coco
from effnet_dense.data.coco.clean import CleanSplit, SkipBad, clean_coco
from effnet_dense.data.findings import Finding, raise_errors
from effnet_dense.data.folders import SPLITS, find_root, listing
from effnet_dense.data.resizing import Scale
from effnet_dense.data.same_images import repeated_images
from effnet_dense.data.transforms.loading import LoadImageFromFile

LAYOUTS = (
    ('annotations/instances_{}2017.json', ('{}2017',)),
    ('annotations/{}.json', ('images/{}', 'images')),
)
"""Annotation file, and candidate folders of its images; the first that exists is used."""

EXPECTED_COCO = """\
  COCO's layout:  annotations/instances_{train,val}2017.json, images in train2017/ and val2017/
  or              annotations/{train,val}.json, images in images/ or in images/{train,val}/"""

SKIP_HINT = '--skip-bad leaves out individual faulty images and annotations'


@dataclass(frozen=True)
class CocoSource:
    """A dataset in COCO's format: its splits, and its classes in the order of their labels.

    Label i of mmdet's `CocoDataset` is the i-th category of the JSON file, whatever its id, so
    `classes` has that order and all splits must share it.
    """

    root: Path
    splits: Mapping[str, CocoSplit]
    classes: tuple[str, ...]
    reports: Mapping[str, CocoReport]
    cleaned: Mapping[str, CleanSplit] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def summary(self) -> str:
        """Describe the splits and their findings for the user."""
        return '\n'.join(map(str, [*self.reports.values(), *self.cleaned.values(), *self.findings]))


def find_coco(
    folder: str | Path,
    splits: Sequence[str] = SPLITS,
    masks: Iterable[str] = (),
    skip: SkipBad | None = None,
    loaders: Mapping[str, LoadImageFromFile] | None = None,
    scales: Mapping[str, Scale | None] | None = None,
) -> CocoSource:
    """Find the splits of a dataset and check them (see `check_coco`).

    Args:
        folder: The dataset's root.
        splits: The splits that are needed: 'train', 'val' or both.
        masks: The splits whose annotations need a 'segmentation'.
        skip: Drop faulty records (see `clean_coco`); by default they are errors.
        loaders: Split → how its images are loaded.
        scales: Split → smallest scale to which its images are resized.

    Raises:
        FileNotFoundError: The folder, a split or images are missing.
        ValueError: The annotations cannot be trained on; the message lists all faults.
    """
    root = find_root(folder)
    parts = locate(root, splits)
    for name, loader in (loaders or {}).items():
        parts[name] = replace(parts[name], loader=loader)
    needs_mask, scale = set(masks), scales or {}
    cleaned = {
        name: clean_coco(name, part, skip, name in needs_mask, name == 'val', scale.get(name))
        for name, part in parts.items()
        if skip is not None
    }
    parts = parts | {name: part.split for name, part in cleaned.items()}
    reports = {
        name: check_coco(part, name in needs_mask, name == 'val', scale.get(name))
        for name, part in parts.items()
    }
    raise_errors(root, reports, _compare_classes(reports), SKIP_HINT)
    classes = next(iter(reports.values())).classes
    findings = repeated_images({name: report.files for name, report in reports.items()})
    return CocoSource(root, parts, classes, reports, cleaned, tuple(findings))


def locate(root: Path, splits: Sequence[str] = SPLITS) -> dict[str, CocoSplit]:
    """Find each split's annotation file and images in one of `LAYOUTS`.

    Raises:
        FileNotFoundError: The message names what was expected and what the folder holds.
    """
    for pattern, folders in LAYOUTS:
        files = {name: root / pattern.format(name) for name in splits}
        present = [name for name, file in files.items() if file.is_file()]
        if not present:
            continue
        for name in set(splits) - set(present):
            raise FileNotFoundError(
                f'{root} has annotations of {present} ({files[present[0]].name}) but none of '
                f'{name!r}: expected {files[name]}'
            )
        return {name: CocoSplit(files[name], _image_dir(root, name, folders)) for name in splits}
    labels = any(root.glob('labels/*/*.png'))
    raise FileNotFoundError(
        f"{root} holds no annotations in COCO's format, which a config for detection needs. "
        f'Expected\n{EXPECTED_COCO}\nbut it holds {listing(root)}'
        + ('\nLabel maps need an mmseg config, for segmentation.' if labels else '')
    )


def _image_dir(root: Path, name: str, folders: Sequence[str]) -> Path:
    candidates = [root / folder.format(name) for folder in folders]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    expected = ' or '.join(str(c) for c in candidates)
    raise FileNotFoundError(
        f'no folder with the images of {name!r}: expected {expected}; {root} holds {listing(root)}'
    )


def _compare_classes(reports: Mapping[str, CocoReport]) -> list[str]:
    """Compare the splits' category lists: labels are positions in them, so they must agree."""
    if len(reports) < 2:
        return []
    train, val = reports['train'].classes, reports['val'].classes
    if train == val:
        return []
    if set(train) != set(val):
        only = {
            'train': sorted(set(train) - set(val)),
            'val': sorted(set(val) - set(train)),
        }
        return [f'error: train and val have different classes, only in one of them: {only}']
    i = next(i for i, pair in enumerate(zip(train, val, strict=False)) if pair[0] != pair[1])
    return [
        'error: train and val list their categories in a different order, and a label is a '
        f'position in that list: position {i} is {train[i]!r} in train, {val[i]!r} in val. '
        "Give both files the same 'categories', in the same order (the ids may stay)."
    ]
