"""Values and colours of label maps that no class has: how many, where, and what they may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from effnet_dense.data.findings import EXAMPLES, Finding
from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.colours import ColourTable, colour_name, nearest_colour
from effnet_dense.data.label_maps.decode import NO_CLASS, decode_colours, decode_label_map
from effnet_dense.data.label_maps.reading import PairContent
from effnet_dense.utils.counted import counted
from effnet_dense.utils.regular_files import read_file

VALUES = 8
"""Number of invalid values that are quoted."""

SMOOTH_VALUES = 3
"""Unknown values at least where borders were smoothed."""

SMOOTH_WIDTH = 5
"""Pixels of a smoothed border are nowhere that wide."""


@dataclass(slots=True)
class _Seen:
    """Pixels of a value or colour, files that have it, and the names of the first ones."""

    pixels: int = 0
    files: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str, pixels: int) -> None:
        self.pixels += pixels
        self.files += 1
        if len(self.names) < EXAMPLES:
            self.names.append(name)


Found = Mapping[int, _Seen]
"""Value or colour → where it was seen."""


def check_values(contents: Sequence[PairContent], classes: LabelClasses) -> list[Finding]:
    """Find values outside the classes: how many pixels have them, in which files."""
    coloured = classes.colours is not None
    found: dict[int, _Seen] = {}
    for content in contents:
        if content.coloured and not coloured:
            continue  # a fault of its own
        for code, count in (content.colours() if coloured else content.counts).items():
            if classes.label_of(code) is None:
                found.setdefault(code, _Seen()).add(content.pair.label.name, count)
    if not found:
        return []
    table = classes.colours if coloured else classes.values
    order = sorted(found) if table is None else sorted(found, key=lambda c: -found[c].pixels)
    examples = [_describe(code, found[code], classes) for code in order[:VALUES]]
    what = _what(found, classes)
    if len(found) >= SMOOTH_VALUES and _smoothed(contents, found, classes):
        what += (
            ', thin lines between classes: borders smoothed by an image editor or by resizing. '
            'Export without smoothing (nearest neighbour), or leave these pixels out with '
            '"unknown": "ignore" in classes.json'
        )
    return [Finding('error', what, len(found), tuple(examples))]


def _what(found: Found, classes: LabelClasses) -> str:
    if classes.colours is not None:
        return 'colour that is not in the list of colours'
    if classes.values is not None:
        return 'value that is not in the list of values'
    count = len(classes.names)
    ignored = 'no value is ignored' if classes.ignore is None else f'{classes.ignore} is ignored'
    what = f'value outside the classes (0 to {count - 1}; {ignored})'
    if set(found) == {count}:
        what += ', is 0 without a class and "first": 1 missing in classes.json?'
    elif NO_CLASS in found and classes.ignore is None:
        what += f', is "ignore": {NO_CLASS} missing in classes.json?'
    return what


def _describe(code: int, seen: _Seen, classes: LabelClasses) -> str:
    more = ', …' if seen.files > EXAMPLES else ''
    where = f'{seen.pixels} pixels in {counted(seen.files, "file")}: {", ".join(seen.names)}{more}'
    if classes.colours is not None:
        near = nearest_colour(code, classes.colours)
        where += f'; nearest: {colour_name(near)} {_name(classes, classes.colours[near])}'
        return f'{colour_name(code)} ({where})'
    if classes.values is not None:
        near = min(classes.values, key=lambda value: abs(value - code))
        where += f'; nearest: {near} {_name(classes, classes.values[near])}'
    return f'{code} ({where})'


def _name(classes: LabelClasses, label: int) -> str:
    return 'ignore' if label == NO_CLASS else classes.names[label]


def _smoothed(contents: Sequence[PairContent], found: Found, classes: LabelClasses) -> bool:
    """Whether unknown pixels are thin lines with known ones around, in the first files."""
    named = {name for seen in found.values() for name in seen.names}
    affected = [content for content in contents if content.pair.label.name in named]
    lookup = ColourTable(dict.fromkeys(found, 0))
    for content in affected[:EXAMPLES]:
        decode = decode_label_map if classes.colours is None else decode_colours
        codes = decode(read_file(content.pair.label)).astype(np.uint32)
        unknown = (lookup(codes) == 0).astype(np.uint8)
        block = np.ones((SMOOTH_WIDTH, SMOOTH_WIDTH), dtype=np.uint8)
        if unknown.mean() > 0.5 or cv2.erode(unknown, block, borderValue=0).any():
            return False
    return True
