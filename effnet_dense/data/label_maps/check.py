"""Check a folder of images and label maps before training.

Every label map is read: one pixel with a value outside the classes would stop training, perhaps
hours later.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath

import numpy as np

from effnet_dense.data.findings import EXAMPLES, Finding, by_severity, errors_of, list_finding
from effnet_dense.data.image_files import (
    IMAGE_SUFFIXES,
    UNREADABLE,
    image_size,
    list_files,
    size_name,
)
from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.decode import MAX_VALUE, NO_CLASS, decode_label_map
from effnet_dense.data.label_maps.pairs import (
    LABEL_SUFFIX,
    LabelPair,
    LabelSplit,
    find_pairs,
    list_images,
    list_labels,
)
from effnet_dense.data.record_sizes import swap_hint
from effnet_dense.data.resizing import TOO_NARROW, Scale, becomes_empty
from effnet_dense.utils.progress import track
from effnet_dense.utils.regular_files import read_file

THREADS = 8
"""Enough to hide a disk's latency; decoding itself is mostly serial."""

VALUES = 8
"""Number of invalid values that are quoted."""


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
        head = (
            f'{self.split.image_dir}: {self.images} images with label maps, '
            f'{len(self.classes)} classes'
        )
        return '\n'.join([head, *self._shares(), *(f'  {finding}' for finding in self.findings)])

    def _shares(self) -> list[str]:
        """List the pixels of each class, wrapped into lines."""
        counts = [*zip(self.classes, self.pixels, strict=True), ('ignored', self.ignored)]
        total = max(1, sum(count for _, count in counts))
        text = ', '.join(f'{name} {n} ({n / total:.1%})' for name, n in counts)
        return textwrap.wrap(f'pixels: {text}', 100, initial_indent='  ', subsequent_indent='    ')


@dataclass
class _PairContent:
    """Content of one pair of files: pixel counts by value, and faults."""

    pair: LabelPair
    counts: dict[int, int] = field(default_factory=dict)
    bad_image: str = ''
    bad_label: str = ''
    bad_size: str = ''
    narrow: str = ''


def check_labels(
    split: LabelSplit, classes: LabelClasses, scale: Scale | None = None
) -> LabelReport:
    """Read every label map of a split and find what would stop or distort training.

    Args:
        split: The folders of images and of label maps.
        classes: The meaning of the values.
        scale: The smallest to which the split's images are resized (see `smallest_scale`).

    Raises:
        FileNotFoundError: A folder does not exist.
    """
    for folder in (split.image_dir, split.label_dir):
        if not folder.is_dir():
            raise FileNotFoundError(f'expected a folder at {folder}')
    pairs = find_pairs(split)
    contents = _read_pairs(pairs, scale)
    counts = np.zeros(MAX_VALUE + 1, dtype=np.int64)
    for content in contents:
        counts[list(content.counts)] += np.array(list(content.counts.values()), dtype=np.int64)
    pixels = counts[: len(classes.names)]
    findings = _check_names(split) + _check_files(contents) + _check_values(contents, classes)
    if not pairs:
        findings.append(Finding('error', 'no image with a label map', 1))
    elif not pixels.any():
        findings.append(Finding('error', 'no pixel of any class', 1))
    else:
        absent = [name for name, n in zip(classes.names, pixels, strict=True) if n == 0]
        findings += list_finding('note', 'class that never occurs', absent)
    return LabelReport(
        split=split,
        images=len(pairs),
        classes=classes.names,
        pixels=tuple(pixels.tolist()),
        ignored=0 if classes.ignore is None else int(counts[classes.ignore]),
        findings=by_severity(findings),
    )


def _check_names(split: LabelSplit) -> list[Finding]:
    """Find images without a label map, label maps without an image, and ambiguous pairs."""
    images, labels = list_images(split.image_dir), list_labels(split.label_dir)
    others = [
        str(file)
        for file in list_files(split.label_dir)
        if file.suffix.lower() in IMAGE_SUFFIXES - {LABEL_SUFFIX}
    ]
    without = [str(files[0]) for stem, files in images.items() if stem not in labels]
    unmatched = [str(files[0]) for stem, files in labels.items() if stem not in images]
    return (
        list_finding(
            'error', f'image without a label map in {split.label_dir}', without, missing_files=True
        )
        + list_finding('error', f'label map that is not a {LABEL_SUFFIX} file', others)
        + list_finding('error', 'several images for one label map', _several(images))
        + list_finding('error', 'several label maps for one image', _several(labels))
        + list_finding('warning', f'label map without an image in {split.image_dir}', unmatched)
    )


def _several(files: dict[str, list[PurePath]]) -> list[str]:
    return [' and '.join(map(str, same)) for same in files.values() if len(same) > 1]


def _read_pairs(pairs: Sequence[LabelPair], scale: Scale | None) -> list[_PairContent]:
    with ThreadPoolExecutor(THREADS) as pool:
        contents = pool.map(partial(_read_pair, scale=scale), pairs)
        return list(track(contents, 'Reading label maps', len(pairs)))


def _read_pair(pair: LabelPair, scale: Scale | None) -> _PairContent:
    content = _PairContent(pair)
    try:
        values = decode_label_map(read_file(pair.label))
    except (OSError, ValueError) as error:
        content.bad_label = f'{pair.label.name} ({error})'
        return content
    counts = np.bincount(values.ravel())
    content.counts = {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    try:
        size = image_size(pair.image)
    except UNREADABLE as error:
        content.bad_image = f'{pair.image.name} ({error})'
        return content
    if size is not None and values.shape[::-1] != size:
        other = values.shape[1], values.shape[0]
        sizes = f'{size_name(*other)}, the image {size_name(*size)}'
        content.bad_size = f'{pair.label.name} is {sizes}{swap_hint(pair.image, size, other)}'
    height, width = values.shape
    if becomes_empty(width, height, scale):
        content.narrow = f'{pair.image.name} ({size_name(width, height)})'
    return content


def _check_files(contents: Sequence[_PairContent]) -> list[Finding]:
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


def _check_values(contents: Sequence[_PairContent], classes: LabelClasses) -> list[Finding]:
    """Find values outside the classes: how many pixels have them, in which files."""
    allowed = set(range(len(classes.names))) | {classes.ignore}
    found: dict[int, list[tuple[str, int]]] = {}
    for content in contents:
        for value in content.counts.keys() - allowed:
            file = (content.pair.label.name, content.counts[value])
            found.setdefault(value, []).append(file)
    if not found:
        return []
    examples = [_describe(value, found[value]) for value in sorted(found)]
    ignored = 'no value is ignored' if classes.ignore is None else f'{classes.ignore} is ignored'
    what = f'value outside the classes (0 to {len(classes.names) - 1}; {ignored})'
    if NO_CLASS in found and classes.ignore is None:
        what += f', is "ignore": {NO_CLASS} missing in classes.json?'
    return [Finding('error', what, len(examples), tuple(examples[:VALUES]))]


def _describe(value: int, files: Sequence[tuple[str, int]]) -> str:
    names = ', '.join(name for name, _ in files[:EXAMPLES])
    more = ', …' if len(files) > EXAMPLES else ''
    pixels = sum(count for _, count in files)
    return f'{value} ({pixels} pixels in {len(files)} files: {names}{more})'
