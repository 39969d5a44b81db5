"""Check a folder of images and label maps before training.

Every label map is read: one pixel with a value outside the classes would stop training, perhaps
hours later.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from effnet_dense.data.findings import Finding, Severity, by_severity, errors_of, list_finding
from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.decode import NO_CLASS
from effnet_dense.data.label_maps.pairs import (
    Files,
    LabelSplit,
    SplitFiles,
    lossy_labels,
    pairs_of,
    split_files,
    stem,
)
from effnet_dense.data.label_maps.reading import PairContent, read_pairs
from effnet_dense.data.label_maps.unknown import check_values
from effnet_dense.data.resizing import TOO_NARROW, Scale
from effnet_dense.utils.counted import counted


@dataclass(frozen=True)
class LabelReport:
    """Content of a split, and the faults that `check_labels` found in it.

    `pixels` has a count for each class, `ignored` is the number of pixels without a class.
    """

    split: LabelSplit
    images: int
    classes: tuple[str, ...]
    pixels: tuple[int, ...]
    ignored: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Faults that must not reach training."""
        return errors_of(self.findings)

    def __str__(self) -> str:
        part = '' if self.split.part is None else f' ({self.split.part.name})'
        head = (
            f'{self.split.image_dir}{part}: {counted(self.images, "image")} with label maps, '
            f'{counted(len(self.classes), "class")}'
        )
        return '\n'.join([head, *self._shares(), *(f'  {finding}' for finding in self.findings)])

    def _shares(self) -> list[str]:
        """List the pixels of each class, wrapped into lines."""
        counts = [*zip(self.classes, self.pixels, strict=True), ('ignored', self.ignored)]
        total = max(1, sum(count for _, count in counts))
        text = ', '.join(f'{name} {n} ({n / total:.1%})' for name, n in counts)
        return textwrap.wrap(f'pixels: {text}', 100, initial_indent='  ', subsequent_indent='    ')


@dataclass(frozen=True)
class SplitContent:
    """A split's files and what they hold, before their classes are known."""

    split: LabelSplit
    files: SplitFiles
    pairs: Sequence[PairContent]


def read_split(
    split: LabelSplit,
    coloured: bool = False,
    scale: Scale | None = None,
    stated: LabelClasses | None = None,
) -> SplitContent:
    """Read every label map of a split (see `read_pairs`).

    Raises:
        FileNotFoundError: A folder does not exist.
    """
    for folder in (split.image_dir, split.label_dir):
        if not folder.is_dir():
            raise FileNotFoundError(f'expected a folder at {folder}')
    files = split_files(split)
    pairs = read_pairs(pairs_of(split, files), coloured, scale, split.upright, stated)
    return SplitContent(split, files, pairs)


def check_labels(
    split: LabelSplit,
    classes: LabelClasses,
    scale: Scale | None = None,
    training: bool = False,
) -> LabelReport:
    """Read every label map of a split and find what would stop or distort training.

    Args:
        split: The folders of images and of label maps.
        classes: The meaning of the values.
        scale: The smallest to which the split's images are resized (see `smallest_scale`).
        training: The split is trained on: classes without a pixel are a warning.

    Raises:
        FileNotFoundError: A folder does not exist.
    """
    content = read_split(split, classes.colours is not None, scale, classes)
    return report_on(content, classes, training)


def report_on(content: SplitContent, classes: LabelClasses, training: bool = False) -> LabelReport:
    """Check what was read (arguments: see `check_labels`)."""
    labels = label_counts(content.pairs, classes)
    pixels = tuple(labels.get(label, 0) for label in range(len(classes.names)))
    findings = _check_names(content.split, content.files)
    findings += _check_files(content.pairs) + check_values(content.pairs, classes)
    if not content.pairs:
        findings.append(Finding('error', 'no image with a label map', 1))
    elif not any(pixels):
        findings.append(Finding('error', 'no pixel of any class', 1))
    else:
        absent = [name for name, n in zip(classes.names, pixels, strict=True) if n == 0]
        severity: Severity = 'warning' if training else 'note'
        findings += list_finding(severity, 'class that never occurs', absent)
    return LabelReport(
        split=content.split,
        images=len(content.pairs),
        classes=classes.names,
        pixels=pixels,
        ignored=labels.get(NO_CLASS, 0),
        findings=by_severity(findings),
    )


def label_counts(contents: Sequence[PairContent], classes: LabelClasses) -> Mapping[int, int]:
    """Count the pixels of each label, 255 for no class; unknown values have none."""
    counts: dict[int, int] = {}
    for content in contents:
        found = content.counts if classes.colours is None else content.colours()
        if content.coloured and classes.colours is None:
            continue
        for code, count in found.items():
            label = classes.label_of(code)
            if label is not None:
                counts[label] = counts.get(label, 0) + count
    return counts


def _check_names(split: LabelSplit, files: SplitFiles) -> list[Finding]:
    """Find images without a label map, label maps without an image, and ambiguous pairs."""
    images, labels = files.images, files.labels
    lossy = lossy_labels(split)
    known = {*labels, *(stem(PurePath(file)).removesuffix(split.label_end) for file in lossy)}
    without = [str(same[0]) for name, same in images.items() if name not in known]
    unmatched = [str(same[0]) for name, same in labels.items() if name not in images]
    return (
        list_finding(
            'error', f'image without a label map in {split.label_dir}', without, missing_files=True
        )
        + list_finding('error', f'name in {split.list_file} without an image', files.unknown, True)
        + list_finding(
            'error', 'label map of a format that changes values, expected .png, .tif or .bmp', lossy
        )
        + list_finding('error', 'several images for one label map', _several(images))
        + list_finding('error', 'several label maps for one image', _several(labels))
        + list_finding('warning', f'label map without an image in {split.image_dir}', unmatched)
    )


def _several(files: Files) -> list[str]:
    return [' and '.join(map(str, same)) for same in files.values() if len(same) > 1]


def _check_files(contents: Sequence[PairContent]) -> list[Finding]:
    kinds = {
        'image that cannot be read': [content.bad_image for content in contents],
        'label map that cannot be used': [content.bad_label for content in contents],
        'label map whose size differs from its image': [content.bad_size for content in contents],
        TOO_NARROW: [content.narrow for content in contents],
    }
    return [
        finding
        for what, faults in kinds.items()
        for finding in list_finding('error', what, [fault for fault in faults if fault])
    ]


__all__ = ['LabelReport', 'SplitContent', 'check_labels', 'read_split', 'report_on']
