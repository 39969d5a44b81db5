"""`--data DIR`: a folder in COCO's layout → its parts and class names, checked.

Two layouts are known, COCO's own and a short one:

    annotations/instances_train2017.json   train2017/      annotations/train.json   images/[train/]
    annotations/instances_val2017.json     val2017/        annotations/val.json     images/[val/]
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from effnet_dense.data.coco.check import CocoReport, CocoSplit, check_coco
from effnet_dense.data.coco.clean import CleanSplit, SkipBad, clean_coco
from effnet_dense.data.label_maps.check import LabelReport

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
    cleaned: Mapping[str, CleanSplit] = field(default_factory=dict)

    def summary(self) -> str:
        """What the parts hold, and what is odd about them, in lines for the user."""
        return '\n'.join(map(str, [*self.reports.values(), *self.cleaned.values()]))


def find_coco(
    folder: str | Path,
    splits: Sequence[str] = SPLITS,
    masks: Iterable[str] = (),
    skip: SkipBad | None = None,
) -> CocoSource:
    """Find the parts of a data set and check them (see `check_coco`).

    Args:
        folder: the data set's root.
        splits: the parts that are needed: 'train', 'val' or both.
        masks: the parts whose annotations need a 'segmentation'.
        skip: leave out what is broken (see `clean_coco`); by default that is an error.

    Raises:
        FileNotFoundError: the folder, a part or pictures are missing.
        ValueError: the annotations cannot be trained on; all their faults are listed.
    """
    root = find_root(folder)
    parts = locate(root, splits)
    needs_mask = set(masks)
    cleaned = {
        name: clean_coco(name, part, skip, masks=name in needs_mask, evaluated=name == 'val')
        for name, part in parts.items()
        if skip is not None
    }
    parts = parts | {name: part.split for name, part in cleaned.items()}
    reports = {
        name: check_coco(part, masks=name in needs_mask, evaluated=name == 'val')
        for name, part in parts.items()
    }
    raise_errors(root, reports, _compare_classes(reports))
    classes = next(iter(reports.values())).classes
    return CocoSource(root, parts, classes, reports, cleaned)


def find_root(folder: str | Path) -> Path:
    """The absolute path of a data set's folder.

    Raises:
        FileNotFoundError: there is none.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise FileNotFoundError(f'expected a folder with a data set at {root}; there is none')
    return root


def locate(root: Path, splits: Sequence[str] = SPLITS) -> dict[str, CocoSplit]:
    """Find each part's annotation file and pictures in one of `LAYOUTS`.

    Raises:
        FileNotFoundError: naming what was expected and what the folder holds.
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
        return {name: CocoSplit(files[name], _pictures(root, name, folders)) for name in splits}
    labels = any(root.glob('labels/*/*.png'))
    raise FileNotFoundError(
        f"{root} holds no annotations in COCO's format, which a config for detection needs. "
        f'Expected\n{EXPECTED}\nbut it holds {listing(root)}'
        + ('\nLabel maps need a config of mmseg, for segmentation.' if labels else '')
    )


def _pictures(root: Path, name: str, folders: Sequence[str]) -> Path:
    candidates = [root / folder.format(name) for folder in folders]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    expected = ' or '.join(str(c) for c in candidates)
    raise FileNotFoundError(
        f'no folder with the pictures of {name!r}: expected {expected}; '
        f'{root} holds {listing(root)}'
    )


def listing(root: Path, limit: int = 20) -> str:
    """Name what lies in a folder and in its annotations/, images/ and labels/."""
    places = [root, *(root / name for name in ('annotations', 'images', 'labels'))]
    names = [
        str(path.relative_to(root)) + ('/' if path.is_dir() else '')
        for place in places
        if place.is_dir()
        for path in itertools.islice(sorted(place.iterdir()), limit)
    ]
    return ', '.join(names[:limit]) + (', …' if len(names) > limit else '') if names else 'nothing'


def raise_errors(
    root: Path, reports: Mapping[str, CocoReport | LabelReport], more: Sequence[str] = ()
) -> None:
    """Stop where a part has errors, or where there are `more` that concern all of them.

    Raises:
        FileNotFoundError: files are missing, and nothing else is wrong.
        ValueError: listing everything that was found.
    """
    errors = [finding for report in reports.values() for finding in report.errors]
    if not errors and not more:
        return
    lines = [f'the data set in {root} cannot be used:', *map(str, reports.values()), *more]
    if not more and all(finding.missing_files for finding in errors):
        raise FileNotFoundError('\n'.join(lines))
    if all(isinstance(report, CocoReport) for report in reports.values()):
        lines.append('--skip-bad leaves out single images and annotations that are broken')
    raise ValueError('\n'.join(lines))


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
