"""Count a dataset's objects by class and by their size at the size at which images are trained on.

Sizes are square roots of boxes' areas in pixels, after the image was resized; limits are COCO's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from numpy.typing import NDArray

from effnet_dense.data.coco.annotation_file import Record, read_coco
from effnet_dense.data.config_walk import loop_datasets, type_name
from effnet_dense.data.folders import SPLITS

LIMITS = (8, 32, 96)
"""Below 8 px an object is smaller than a cell of stride 8; 32 and 96 are COCO's limits."""

RESIZERS = ('Resize', 'RandomResize', 'RandomChoiceResize')
ROWS = 20
FAULTY = (ValueError, KeyError, TypeError)
"""Raised for files that `check_coco` would not accept."""

MOST_BYTES = 100_000_000
"""Of annotation files that a run reads once more to count its objects."""


@dataclass(frozen=True)
class ClassCounts:
    """Objects of a class: images that have some, objects in all, and by size in pixels."""

    name: str
    images: int
    objects: int
    below_8: int
    small: int
    medium: int
    large: int

    @property
    def by_size(self) -> tuple[int, int, int, int]:
        """Objects below 8 px, other small ones, medium and large ones."""
        return self.below_8, self.small - self.below_8, self.medium, self.large


HEADINGS = ('class', 'images', 'objects', '< 8 px', 'small < 32', 'medium < 96', 'large')
"""Of the fields of `ClassCounts`; small objects include those below 8 px."""


@dataclass(frozen=True)
class Resizing:
    """The size to which images are resized, width and height, and whether they keep their ratio."""

    width: float
    height: float
    keep_ratio: bool = True

    def factors(self, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by how much images' widths and heights (K, 2) are multiplied: (K, 2)."""
        target = np.array([self.width, self.height])
        if not self.keep_ratio:
            return np.asarray(target / sizes)
        ends = np.stack([target.max() / sizes.max(1), target.min() / sizes.min(1)])
        return np.repeat(ends.min(0)[:, None], 2, axis=1)

    def __str__(self) -> str:
        return f'{self.width:g} × {self.height:g}'


def training_size(cfg: Config) -> Resizing | None:
    """Find the size to which a config resizes training images, at the middle of random ones.

    Returns:
        None if they are not resized.
    """
    for dataset in loop_datasets(cfg, 'train'):
        found = list(_resizers(dataset.get('pipeline') or ()))
        if found:
            return found[0]
    return None


def _resizers(pipeline: Iterable[Any]) -> Iterator[Resizing]:
    for step in pipeline:
        if not isinstance(step, Mapping) or type_name(step) not in RESIZERS:
            continue
        given: Any = step.get('scales') or step.get('scale')
        several = isinstance(given, list | tuple) and given and isinstance(given[0], list | tuple)
        scales = [given] if not several else list(given)
        pairs = [(s, s) if isinstance(s, int | float) else tuple(s) for s in scales if s]
        if pairs and all(len(pair) == 2 for pair in pairs):
            width, height = np.median(np.array(pairs, dtype=np.float64), axis=0).tolist()
            yield Resizing(width, height, bool(step.get('keep_ratio')))


def count_objects(data: Record, size: Resizing | None = None) -> list[ClassCounts]:
    """Count the objects of a COCO file that `check_coco` accepts, without crowd regions.

    Args:
        data: {'images', 'annotations', 'categories'}.
        size: To which images are resized; by default they keep theirs.

    Returns:
        A row for each class, in the order of the labels.
    """
    images = {image['id']: (image['width'], image['height']) for image in data['images']}
    records = [
        record
        for record in data['annotations']
        if record['image_id'] in images and not record.get('iscrowd')
    ]
    boxes = np.array([record['bbox'] for record in records], dtype=np.float64).reshape(-1, 4)
    sizes = np.array([images[record['image_id']] for record in records], dtype=np.float64)
    factors = np.ones((len(boxes), 2)) if size is None else size.factors(sizes.reshape(-1, 2))
    sides = np.sqrt((boxes[:, 2:].clip(0) * factors).prod(1))
    category = np.array([record['category_id'] for record in records])
    image = np.array([record['image_id'] for record in records])
    rows = []
    for entry in data['categories']:
        own = category == entry['id'] if len(records) else np.zeros(0, dtype=bool)
        tiny, small, medium = ((sides[own] < limit).sum() for limit in LIMITS)
        parts = (tiny, small, medium - small, own.sum() - medium)
        counts = (len(np.unique(image[own])), own.sum(), *parts)
        rows.append(ClassCounts(str(entry['name']), *map(int, counts)))
    return rows


def count_config(cfg: Config, most_bytes: int = MOST_BYTES) -> dict[str, list[ClassCounts]]:
    """Count the objects of a config's CocoDatasets for training and validation.

    Args:
        cfg: Of mmdet.
        most_bytes: Longer annotation files are left out, and so is what is no COCO file.

    Returns:
        'train' and 'val' → rows.
    """
    size, counted = training_size(cfg), {}
    for split in SPLITS:
        for dataset in loop_datasets(cfg, split)[:1]:
            path = Path(dataset.get('data_root') or '', dataset.get('ann_file') or '')
            if type_name(dataset) != 'CocoDataset' or not path.is_file():
                continue
            if path.stat().st_size <= most_bytes:
                with contextlib.suppress(*FAULTY):
                    counted[split] = count_objects(read_coco(path), size)
    return counted


def total(rows: Iterable[ClassCounts]) -> tuple[str | int, ...]:
    """Add up all classes, in the order of `HEADINGS`; without images, which classes share."""
    columns = list(zip(*(astuple(row)[2:] for row in rows), strict=True))
    return ('all', '', *map(sum, columns or [()] * (len(HEADINGS) - 2)))


def imbalance(rows: Iterable[ClassCounts]) -> str:
    """Say how many times as many objects the most frequent class has as the rarest; '' for one."""
    counted = sorted((row for row in rows if row.objects), key=lambda row: row.objects)
    if len(counted) < 2:
        return ''
    rarest, most = counted[0], counted[-1]
    return (
        f'{most.name} has {most.objects / rarest.objects:.3g} × as many objects as {rarest.name} '
        f'({most.objects} and {rarest.objects})'
    )


def object_table(rows: Iterable[ClassCounts], most: int = ROWS) -> str:
    """Format rows as text in columns, the most frequent classes first, with their sum."""
    ranked = sorted(rows, key=lambda row: -row.objects)
    shown = ranked if len(ranked) <= most else [*ranked[: most - 1], ranked[-1]]
    cells = [HEADINGS, *(tuple(map(str, row)) for row in [*map(astuple, shown), total(ranked)])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        '  '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in cells
    ]
    if len(shown) < len(ranked):
        lines.insert(most, f'… {len(ranked) - len(shown)} more classes')
    return '\n'.join(lines)
