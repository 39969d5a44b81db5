"""`--data DIR`: a folder in COCO's layout → its parts and class names, checked.

Two layouts are known, COCO's own and a short one:

    annotations/instances_train2017.json   train2017/      annotations/train.json   images/[train/]
    annotations/instances_val2017.json     val2017/        annotations/val.json     images/[val/]
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from effnet_dense.data.coco_check import CocoReport, CocoSplit, check_coco

SPLITS = ('train', 'val')

LAYOUTS = (
    ('annotations/instances_{}2017.json', ('{}2017',)),
    ('annotations/{}.json', ('images/{}', 'images')),
)
"""Annotation file and the folders in which its pictures may lie, the first that exists is taken."""

EXPECTED = """\
  COCO's layout:  annotations/instances_{train,val}2017.json, pictures in train2017/ and val2017/
  or              annotations/{train,val}.json, pictures in images/ or in images/{train,val}/"""


@dataclass(frozen=True)
class CocoSource:
    """A data set in COCO's format: where its parts lie, its classes in the order of their labels.

    Label i of mmdet's `CocoDataset` is the i-th category of the JSON file, whatever its id, so
    `classes` has that order and all parts must share it.
    """

    root: Path
    splits: Mapping[str, CocoSplit]
    classes: tuple[str, ...]
    reports: Mapping[str, CocoReport]

    def summary(self) -> str:
        """What the parts hold, and what is odd about them, in lines for the user."""
        return '\n'.join(str(report) for report in self.reports.values())


def find_coco(
    folder: str | Path, splits: Sequence[str] = SPLITS, masks: Iterable[str] = ()
) -> CocoSource:
    """Find the parts of a data set and check them (see `check_coco`).

    Args:
        folder: the data set's root.
        splits: the parts that are needed: 'train', 'val' or both.
        masks: the parts whose annotations need a 'segmentation'.

    Raises:
        FileNotFoundError: the folder, a part or pictures are missing.
        ValueError: the annotations cannot be trained on; all their faults are listed.
    """
    root = Path(folder).expanduser().absolute()
    parts = locate(root, splits)
    needs_mask = set(masks)
    reports = {
        name: check_coco(part, masks=name in needs_mask, evaluated=name == 'val')
        for name, part in parts.items()
    }
    _raise_errors(root, reports)
    classes = next(iter(reports.values())).classes
    return CocoSource(root=root, splits=parts, classes=classes, reports=reports)


def locate(root: Path, splits: Sequence[str] = SPLITS) -> dict[str, CocoSplit]:
    """Find each part's annotation file and pictures in one of `LAYOUTS`.

    Raises:
        FileNotFoundError: naming what was expected and what the folder holds.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'expected a folder with a data set at {root}; there is none')
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
        return {name: CocoSplit(files[name], _pictures(root, name, folders)) for name in splits}
    raise FileNotFoundError(
        f'{root} holds no data set in a known layout. Expected\n{EXPECTED}\n'
        f'but it holds {_listing(root)}'
    )


def _pictures(root: Path, name: str, folders: Sequence[str]) -> Path:
    candidates = [root / folder.format(name) for folder in folders]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    expected = ' or '.join(str(c) for c in candidates)
    raise FileNotFoundError(
        f'no folder with the pictures of {name!r}: expected {expected}; '
        f'{root} holds {_listing(root)}'
    )


def _listing(root: Path, limit: int = 20) -> str:
    """Name what lies in a folder and in its annotations/ and images/."""
    places = [root, *(root / name for name in ('annotations', 'images'))]
    names = [
        str(path.relative_to(root)) + ('/' if path.is_dir() else '')
        for place in places
        if place.is_dir()
        for path in itertools.islice(sorted(place.iterdir()), limit)
    ]
    return ', '.join(names[:limit]) + (', …' if len(names) > limit else '') if names else 'nothing'


def _raise_errors(root: Path, reports: Mapping[str, CocoReport]) -> None:
    mismatch = _compare_classes(reports)
    errors = [finding for report in reports.values() for finding in report.errors]
    if not errors and not mismatch:
        return
    lines = [f'the data set in {root} cannot be used:', *(str(r) for r in reports.values())]
    kind = ValueError
    if errors and not mismatch and all(finding.missing_files for finding in errors):
        kind = FileNotFoundError  # type: ignore[assignment]
    raise kind('\n'.join(lines + mismatch))


def _compare_classes(reports: Mapping[str, CocoReport]) -> list[str]:
    """Labels are positions in the list of categories: every part must have the same list."""
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
