"""Read every label map of a split once: the values or colours it holds, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from effnet_dense.data.image_files import UNREADABLE, image_size, size_name
from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.decode import (
    ColouredError,
    decode_colours,
    decode_label_map,
    is_palette,
)
from effnet_dense.data.label_maps.pairs import LabelPair
from effnet_dense.data.record_sizes import swap_hint
from effnet_dense.data.resizing import Scale, becomes_empty
from effnet_dense.utils.progress import track
from effnet_dense.utils.regular_files import read_file

THREADS = 8
"""Enough to hide a disk's latency; decoding itself is mostly serial."""

GREY = 0x010101
"""Colour of the grey value 1."""

MAX_CODES = 2**13
"""A file with more values or colours than are listed, and these, is no label map."""

MANY_CODES = 1000
"""The same with as many that have less than `FEW_PIXELS` each."""

FEW_PIXELS = 4

PROBED = 2**16
"""Runs of pixels by which most such files are known, without counting them all."""

Counts = dict[int, int]
"""Value or colour → number of pixels."""


@dataclass
class PairContent:
    """Content of one pair of files: pixel counts by value or colour, and faults."""

    pair: LabelPair
    counts: Counts = field(default_factory=dict)
    coloured: bool = False
    palette: bool = False
    bad_image: str = ''
    bad_label: str = ''
    bad_size: str = ''
    narrow: str = ''

    def colours(self) -> Counts:
        """Return the counts by colour; values are shades of grey."""
        if self.coloured:
            return self.counts
        return {value * GREY: count for value, count in self.counts.items() if value < 256}


def read_pairs(
    pairs: Sequence[LabelPair],
    coloured: bool = False,
    scale: Scale | None = None,
    upright: bool = True,
    stated: LabelClasses | None = None,
) -> list[PairContent]:
    """Read all pairs.

    Args:
        pairs: The files.
        coloured: The pixels are colours; by default they are values, and colours are a fault.
        scale: The smallest to which the split's images are resized (see `smallest_scale`).
        upright: Images are rotated by their EXIF orientation when they are loaded.
        stated: What classes.json says.
    """
    read = partial(_read_pair, coloured=coloured, scale=scale, upright=upright, stated=stated)
    with ThreadPoolExecutor(THREADS) as pool:
        contents = pool.map(read, pairs)
        return list(track(contents, 'Reading label maps', len(pairs)))


def _read_pair(
    pair: LabelPair,
    coloured: bool,
    scale: Scale | None,
    upright: bool,
    stated: LabelClasses | None,
) -> PairContent:
    content = PairContent(pair)
    try:
        values = _read_label(content, coloured)
    except (OSError, ValueError) as error:
        content.bad_label = f'{pair.label.name} ({error})'
        return content
    content.counts = count_values(values, stated)
    if not content.counts:
        kind = 'colours' if content.coloured else 'values'
        what = f'thousands of {kind}, as a photo, or as a label map saved with losses'
        content.bad_label = f'{pair.label.name} ({what})'
        content.coloured = coloured
        return content
    try:
        size = image_size(pair.image, upright)
    except UNREADABLE as error:
        content.bad_image = f'{pair.image.name} ({error})'
        return content
    if size is not None and values.shape[::-1] != size:
        other = values.shape[1], values.shape[0]
        hint = swap_hint(pair.image, size, other, upright)
        sizes = f'{size_name(*other)}, the image {size_name(*size)}'
        content.bad_size = f'{pair.label.name} is {sizes}{hint}'
    height, width = values.shape
    if becomes_empty(width, height, scale):
        content.narrow = f'{pair.image.name} ({size_name(width, height)})'
    return content


def _read_label(content: PairContent, coloured: bool) -> NDArray[np.integer]:
    """Decode a label map to values, or to colours where they are expected or there are any."""
    file = read_file(content.pair.label)
    content.coloured = coloured
    if coloured:
        return decode_colours(file)
    content.palette = is_palette(file)
    try:
        return decode_label_map(file)
    except ColouredError as error:
        content.bad_label = f'{content.pair.label.name} ({error})'
        content.coloured = True
        return decode_colours(file)


def count_values(values: NDArray[np.integer], stated: LabelClasses | None = None) -> Counts:
    """Count the pixels of each value (H, W); few runs are counted instead of many pixels.

    Args:
        values: Of one pixel at least.
        stated: What classes.json says.

    Returns:
        Nothing for thousands of values beside those that are listed (see `MAX_CODES`); if they
        are ignored, one of them has the pixels of all.
    """
    flat = values.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    ignored = stated is not None and stated.unknown_ignored
    dense = MAX_CODES if flat.size > FEW_PIXELS * MAX_CODES else flat.size // FEW_PIXELS
    limit = max(dense, MANY_CODES) + (0 if stated is None else len(stated.listed()))
    if not ignored and len(np.unique(flat[starts[:PROBED]])) > limit:
        return {}
    found, where = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(where, weights=np.diff(starts, append=flat.size))
    if len(found) > limit:
        if stated is None or not ignored:
            return {}
        other = ~np.isin(found, list(stated.listed()))
        first = np.flatnonzero(other)[:1]
        counts[first] = counts[other].sum()
        other[first] = False
        found, counts = found[~other], counts[~other]
    return {int(value): int(count) for value, count in zip(found, counts, strict=True)}


def total(contents: Sequence[PairContent], coloured: bool = False) -> Counts:
    """Add up the counts of many label maps, the smallest value first."""
    added: Counts = {}
    for content in contents:
        for value, count in (content.colours() if coloured else content.counts).items():
            added[value] = added.get(value, 0) + count
    return dict(sorted(added.items()))
