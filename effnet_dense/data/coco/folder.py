"""`--data DIR`: a dataset of boxes or masks → its splits and classes, repaired and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from effnet_dense.data.coco.annotation_file import CocoSplit
from effnet_dense.data.coco.check import CocoReport, check_coco
from effnet_dense.data.coco.clean import CleanSplit, clean_coco
from effnet_dense.data.coco.written import write_part
from effnet_dense.data.findings import Finding, raise_errors
from effnet_dense.data.folders import SPLITS, listing
from effnet_dense.data.formats.detect import find_dataset
from effnet_dense.data.formats.found import FoundData
from effnet_dense.data.normalise import NormalPart, Repair, normalise
from effnet_dense.data.normalise.image_names import KEYS as NAME_KEYS
from effnet_dense.data.normalise.image_names import stated_name
from effnet_dense.data.parts import Division, divide
from effnet_dense.data.resizing import Scale
from effnet_dense.data.same_images import repeated_images
from effnet_dense.data.skipping import SkipBad
from effnet_dense.data.transforms.loading import LoadImageFromFile
from effnet_dense.utils.collector import collector_paused
from effnet_dense.utils.controls import escape_controls
from effnet_dense.utils.near_names import with_nearest
from effnet_dense.utils.outputs import check_outside

EXPECTED_COCO = """\
  COCO's layout:  annotations/instances_{train,val}2017.json, images in train2017/ and val2017/
  or              annotations/{train,val}.json, images in images/ or in images/{train,val}/
  or              exports of CVAT, Label Studio, labelme, Roboflow, FiftyOne, YOLO, also as ZIP"""

SKIP_HINT = '--skip-bad leaves out individual faulty images and annotations'

CONVERTED = Path('data/converted')
"""Where repaired annotations go if there is no work folder."""


@dataclass(frozen=True)
class CocoSource:
    """A dataset with boxes or masks: its splits, and its classes in the order of their labels.

    Label i of mmdet's `CocoDataset` is the i-th category of the JSON file, whatever its id, so
    `classes` has that order and all splits must share it.

    Attributes:
        root: The dataset's folder.
        splits: 'train', 'val' or both.
        classes: Their names.
        reports: Split → what the check found.
        cleaned: Split → what `--skip-bad` left out.
        format: The format that was recognised.
        remarks: What was decided while reading and dividing.
        repairs: Part, 'all' if there was one → what was repaired.
        findings: On the dataset as a whole.
    """

    root: Path
    splits: Mapping[str, CocoSplit]
    classes: tuple[str, ...]
    reports: Mapping[str, CocoReport]
    cleaned: Mapping[str, CleanSplit] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    format: str = 'COCO JSON'
    remarks: tuple[str, ...] = ()
    repairs: Mapping[str, tuple[Repair, ...]] = field(default_factory=dict)

    def summary(self) -> str:
        """Describe the splits, repairs and findings for the user."""
        lines = [f'found {self.format} in {self.root}', *self.remarks]
        for part, repairs in self.repairs.items():
            lines += [f'  {part}, {repair}' for repair in repairs]
        lines += [*self._parts(), *map(str, self.cleaned.values())]
        return '\n'.join([*lines, *map(str, self.findings)])

    def _parts(self) -> Iterator[str]:
        """Describe each part; a file that holds several of them is named once."""
        named: set[Path] = set()
        for part, report in self.reports.items():
            file = report.split.quoted
            yield report.describe(part if file in named else f'{part} ({file})')
            named.add(file)

    def report(self) -> dict[str, Any]:
        """Return what data_report.json holds."""
        return {
            'format': self.format,
            'root': str(self.root),
            'remarks': list(self.remarks),
            'repairs': {
                part: [asdict(repair) for repair in repairs]
                for part, repairs in self.repairs.items()
            },
            'parts': {
                name: {
                    'source': str(report.split.quoted),
                    'annotations': str(report.split.ann_file),
                    'images': report.images,
                    'objects': report.annotations,
                    'findings': [asdict(finding) for finding in report.findings],
                }
                for name, report in self.reports.items()
            },
            'findings': [asdict(finding) for finding in self.findings],
        }


@collector_paused()  # of COCO's million records none is garbage
def find_coco(
    folder: str | Path,
    splits: Sequence[str] = SPLITS,
    masks: Iterable[str] = (),
    skip: SkipBad | None = None,
    loaders: Mapping[str, LoadImageFromFile] | None = None,
    scales: Mapping[str, Scale | None] | None = None,
    scratch: Path | None = None,
    division: Division | None = None,
) -> CocoSource:
    """Find the splits of a dataset in any format, repair and check them (see `check_coco`).

    Args:
        folder: The dataset's root, or a ZIP file.
        splits: The splits that are needed: 'train', 'val' or both.
        masks: The splits whose annotations need a 'segmentation'.
        skip: Drop faulty records (see `clean_coco`); by default they are errors.
        loaders: Split → how its images are loaded.
        scales: Split → smallest scale to which its images are resized.
        scratch: Where repaired annotations go, and the content of ZIP files. Nothing is written if
            the source can be used as it is.
        division: How a dataset with one part is divided.

    Raises:
        FileNotFoundError: The folder, a split or images are missing.
        ValueError: The annotations cannot be trained on; the message lists all faults.
    """
    scratch = (scratch or converted(folder)).absolute()
    found = find_dataset(Path(folder), scratch)
    loading = loaders or {}
    normal = normalise(found.splits, found.root, {k: v.upright for k, v in loading.items()})
    repairs = {part: content.repairs for part, content in normal.items() if content.repairs}
    parts, remarks = divide(normal, splits, division or Division())
    chosen = {name: parts[name] for name in splits if name in parts}
    _expect_parts(found, splits, chosen)
    _expect_images(found, chosen)
    check_outside(scratch, [p.image_dir for p in chosen.values() if p.image_dir != found.root])
    targets = {name: _target(name, part, scratch, loading) for name, part in chosen.items()}
    checked, cleaned = _check(chosen, targets, set(masks), skip, scales or {})
    hints = [f'{part.source}: {hint}' for part in chosen.values() for hint in part.hints]
    raise_errors(found.root, checked, _compare_classes(checked), SKIP_HINT, hints)
    for name, part in chosen.items():
        if name not in cleaned and part.ann_file is None:
            write_part(part, targets[name].ann_file)
    return CocoSource(
        root=found.root,
        splits=targets | {name: clean.split for name, clean in cleaned.items()},
        classes=next(iter(checked.values())).classes,
        reports=checked,
        cleaned=cleaned,
        format=found.format,
        remarks=(*found.remarks, *remarks),
        repairs=repairs,
        findings=tuple(repeated_images({k: report.files for k, report in checked.items()})),
    )


def converted(folder: str | Path) -> Path:
    """Name a folder for a dataset's repaired annotations."""
    path = Path(folder).expanduser().absolute()
    digest = hashlib.sha256(str(path).encode('utf-8', 'surrogatepass')).hexdigest()[:8]
    return CONVERTED / f'{path.stem[:64]}-{digest}'


def _expect_parts(
    found: FoundData, splits: Sequence[str], chosen: Mapping[str, NormalPart]
) -> None:
    for name in splits:
        if name not in chosen:
            present = [part for part in SPLITS if part in found.splits]
            files = ', '.join(str(split.source) for split in found.splits.values())
            raise FileNotFoundError(
                f'{found.root} has annotations of {present} ({files}) but none of {name!r}'
            )


def _expect_images(found: FoundData, chosen: Mapping[str, NormalPart]) -> None:
    for name, part in chosen.items():
        if part.paths and not any(part.paths):
            split = found.splits.get(name) or next(iter(found.splits.values()))
            places = ' or '.join(map(str, split.image_dirs)) or str(found.root)
            hints = ''.join(f'\n{hint}' for hint in part.hints)
            record = split.data['images'][0]
            stated = record.get('file_name')
            first = escape_controls(str(stated or stated_name(record)[1]))
            if not first:
                raise FileNotFoundError(
                    f'none of the {len(part.paths)} images of {name!r} has a file: expected '
                    f'file_name, or a text as one of {", ".join(NAME_KEYS)}, in the images of '
                    f'{part.source}, got {record!r:.200}'
                )
            raise FileNotFoundError(
                f'none of the {len(part.paths)} images of {name!r}: expected {first} in {places}, '
                f'as {part.source} names it; {found.root} holds {listing(found.root)}{hints}'
            )


def _target(
    name: str, part: NormalPart, scratch: Path, loaders: Mapping[str, LoadImageFromFile]
) -> CocoSplit:
    return CocoSplit(
        ann_file=part.ann_file or scratch / f'{name}.json',
        image_dir=part.image_dir,
        loader=loaders.get(name) or LoadImageFromFile(),
        source=part.source,
    )


def _check(
    parts: Mapping[str, NormalPart],
    targets: Mapping[str, CocoSplit],
    masks: set[str],
    skip: SkipBad | None,
    scales: Mapping[str, Scale | None],
) -> tuple[dict[str, CocoReport], dict[str, CleanSplit]]:
    """Check the parts, those that `--skip-bad` leaves if it is set."""
    reports, cleaned = {}, {}
    for name, part in parts.items():
        needs_mask, evaluated, scale = name in masks, name == 'val', scales.get(name)
        split, data = targets[name], part.data
        if skip is not None:
            clean = clean_coco(name, split, skip, needs_mask, evaluated, scale, data)
            cleaned[name] = clean
            reports[name] = check_coco(clean.split, needs_mask, evaluated, scale)
        else:
            reports[name] = check_coco(split, needs_mask, evaluated, scale, data)
    return reports, cleaned


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
        lines = [f'error: train and val have different classes, only in one of them: {only}']
        if only['val']:
            lines.append(f'val has objects of {with_nearest(only["val"], train)}')
        return lines
    i = next(i for i, pair in enumerate(zip(train, val, strict=False)) if pair[0] != pair[1])
    return [
        'error: train and val list their categories in a different order, and a label is a '
        f'position in that list: position {i} is {train[i]!r} in train, {val[i]!r} in val. '
        "Give both files the same 'categories', in the same order (the ids may stay)."
    ]
