"""Check a COCO annotation file and its images before training.

mmdet and pycocotools silently drop many faulty records, and fail on others only when they reach
them: those in fields that only evaluation reads, at the end of the first epoch. Faults that would
stop a run later or corrupt training are errors here, all others are warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from effnet_dense.data.coco.annotation_file import CocoSplit, Record, read_coco
from effnet_dense.data.coco.faults import (
    EMPTY_BOX,
    Fault,
    Kind,
    drop_faulty,
    find_faults,
    sound_images,
)
from effnet_dense.data.coco.suspicions import find_suspicions
from effnet_dense.data.findings import Finding, by_severity, errors_of, list_finding
from effnet_dense.data.resizing import Scale
from effnet_dense.utils.counted import counted
from effnet_dense.utils.progress import activity


@dataclass(frozen=True)
class CocoReport:
    """Content of a split, and the faults that `check_coco` found in it."""

    split: CocoSplit
    images: int
    annotations: int
    classes: tuple[str, ...]
    findings: tuple[Finding, ...]
    files: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Faults that must not reach training."""
        return errors_of(self.findings)

    def __str__(self) -> str:
        return self.describe(str(self.split.quoted))

    def describe(self, name: str) -> str:
        """Describe the content in a line, and each finding in one of its own.

        Args:
            name: Of the part, which begins the line.
        """
        counts = (
            f'{counted(self.images, "image")}',
            f'{counted(self.annotations, "object")}',
            f'{counted(len(self.classes), "class")}',
        )
        head = f'{name}: {", ".join(counts)}'
        return '\n'.join([head, *(f'  {finding}' for finding in self.findings)])


def check_coco(
    split: CocoSplit,
    masks: bool = False,
    evaluated: bool = True,
    scale: Scale | None = None,
    data: Record | None = None,
) -> CocoReport:
    """Find everything in a split that would stop or distort training or evaluation.

    Args:
        split: The annotation file and the folder of its images.
        masks: Require a 'segmentation' in every annotation, and decode it.
        evaluated: The split is scored by pycocotools, which needs 'iscrowd' and ids above 0.
        scale: The smallest to which the split's images are resized (see `smallest_scale`).
        data: The annotation file's content, if it has been read.

    Raises:
        FileNotFoundError: The annotation file or the image folder is missing.
        ValueError: The file does not have COCO's structure (see `read_coco`).
    """
    data = read_coco(split.ann_file) if data is None else data
    if not split.image_dir.is_dir():
        raise FileNotFoundError(f'expected a folder of images at {split.image_dir}')
    with activity(f'Checking {split.quoted.name}'):
        return _check(split, masks, evaluated, scale, data)


def _check(
    split: CocoSplit, masks: bool, evaluated: bool, scale: Scale | None, data: Record
) -> CocoReport:
    faults = list(
        find_faults(data, split.image_dir, masks, evaluated, loader=split.loader, scale=scale)
    )
    return CocoReport(
        split=split,
        images=len(data['images']),
        annotations=len(data['annotations']),
        classes=tuple(str(category.get('name')) for category in data['categories']),
        files=tuple(split.image_dir / image['file_name'] for image in sound_images(data, faults)),
        findings=by_severity(
            [
                *_group(faults, evaluated),
                *_check_totals(data, faults),
                *_suspicions(data, faults, evaluated, masks),
            ]
        ),
    )


def _group(faults: Iterable[Fault], evaluated: bool) -> list[Finding]:
    """Count faults of the same kind as one finding."""
    examples: dict[Kind, list[str]] = {}
    for fault in faults:
        examples.setdefault(fault.kind, []).append(fault.example)
    findings = (
        list_finding(kind.severity, _describe(kind, evaluated), quoted, kind.missing_files)
        for kind, quoted in examples.items()
    )
    return [finding for found in findings for finding in found]


def _describe(kind: Kind, evaluated: bool) -> str:
    """Describe a kind; for a warning, also whether mmdet drops the record."""
    if evaluated and kind is EMPTY_BOX:
        return f'{kind.what}, which evaluation counts, but nothing can match: AP stays below 1'
    suffix = {'always': ', left out', 'in training': ', left out of training', 'never': ''}
    return kind.what + (suffix[kind.dropped] if kind.severity == 'warning' else '')


def _suspicions(
    data: Record, faults: Sequence[Fault], evaluated: bool, masks: bool
) -> list[Finding]:
    """Find what looks like a mistake in a split whose categories are sound."""
    if any(fault.key == 'categories' for fault in faults):
        return []
    sound, trainable = (drop_faulty(data, faults, training) for training in (False, True))
    return find_suspicions(data, sound, trainable, evaluated, masks)


def _check_totals(data: Record, faults: list[Fault]) -> list[Finding]:
    """Find faults of the file as a whole: nothing to train on, images without annotations."""
    findings = []
    if not data['categories']:
        findings.append(Finding('error', "no category in 'categories'", 1))
    if not drop_faulty(data, faults, training=True)['annotations']:
        findings.append(Finding('error', 'no usable annotation', 1))
    named = {a['image_id'] for a in data['annotations'] if type(a.get('image_id')) is int}
    bare = [i['file_name'] for i in sound_images(data, faults) if i['id'] not in named]
    return findings + list_finding('note', 'image without annotations', bare)
