"""Name what is no fault of a record, but looks like a mistake of the dataset, and what it means.

Shapes: K annotations; boxes are COCO's [x, y, width, height] in pixels of the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.data.coco.annotation_file import Record
from effnet_dense.data.columns import polygon_extents, stack_boxes
from effnet_dense.data.findings import Finding, list_finding
from effnet_dense.data.masks import CHUNK

SLACK = 1.0
"""Pixels by which a box may exceed its image: rounding."""

ACROSS = 0.1
"""Share of boxes across their image's edge from which another meaning of the numbers is tried."""

FITTING = 0.98
"""Share of boxes that must fit into their image with the other meaning."""

OVERLAP = 0.2
"""Intersection over union of a box and the box around its mask, below which one is misplaced."""

FEW_IMAGES = 3
"""Number of images up to which a class in one image only is not worth a word."""


@dataclass(frozen=True)
class Objects:
    """A split's annotations without faulty records, as columns.

    Attributes:
        records: The annotations.
        boxes: (K, 4).
        sizes: (K, 2), width and height of their images.
    """

    records: Sequence[Record]
    boxes: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @cached_property
    def across(self) -> NDArray[np.bool_]:
        """(K,), whether a box ends outside of its image."""
        ends = self.boxes[:, :2] + self.boxes[:, 2:]
        return np.asarray((ends > self.sizes + SLACK).any(1))

    def quote(self, hits: NDArray[np.bool_]) -> list[str]:
        """Quote the boxes that are selected by (K,) booleans."""
        quoted = (self.records[i] for i in np.flatnonzero(hits).tolist())
        return [f'id {record["id"]}: {record["bbox"]}' for record in quoted]


def find_suspicions(
    data: Record, sound: Record, trainable: Record, evaluated: bool, masks: bool = False
) -> list[Finding]:
    """Find what looks like a mistake in a split.

    Args:
        data: {'images', 'annotations', 'categories'}.
        sound: `data` without records that are always dropped.
        trainable: `data` without records that are dropped in training.
        evaluated: The split is scored by pycocotools.
        masks: Its masks are used.
    """
    findings = [*_classes(data, evaluated), *(_federated(data) if evaluated else ())]
    objects = _columns(sound)
    if objects.records:
        findings += [*_ignored(objects, evaluated), *_meaning_of_boxes(objects)]
    if len(trainable['annotations']) < len(sound['annotations']):
        objects = _columns(trainable)
    if objects.records:
        findings += _repeated(objects)
    if objects.records and masks:
        findings += _masks(objects)
    return findings


def _columns(data: Record) -> Objects:
    images = {image['id']: image for image in data['images']}
    records = [record for record in data['annotations'] if record['image_id'] in images]
    linked = [images[record['image_id']] for record in records]
    sides = (image[side] for image in linked for side in ('width', 'height'))
    sizes = np.fromiter(sides, np.float64, 2 * len(linked)).reshape(-1, 2)
    return Objects(records, stack_boxes(records), sizes)


def _classes(data: Record, evaluated: bool) -> Iterator[Finding]:
    """Find classes without an object, and those of a single image."""
    images: dict[Any, set[Any]] = {}
    for record in data['annotations']:
        category, image = record.get('category_id'), record.get('image_id')
        if isinstance(category, int) and isinstance(image, int):
            images.setdefault(category, set()).add(image)
    if not images:
        return
    counts = {str(c['name']): len(images.get(c['id'], ())) for c in data['categories']}
    meaning = 'never scored' if evaluated else 'never learned'
    absent = [name for name, count in counts.items() if count == 0]
    yield from list_finding('warning', f'class without an object, {meaning}', absent)
    if len(data['images']) > FEW_IMAGES:
        once = [name for name, count in counts.items() if count == 1]
        yield from list_finding('warning', 'class with objects in one image only', once)


def _federated(data: Record) -> Iterator[Finding]:
    """Find images in which only some classes were looked for, as in LVIS."""
    stated = [image for image in data['images'] if image.get('neg_category_ids') is not None]
    names = [str(image.get('file_name')) for image in stated]
    yield from list_finding(
        'warning',
        "image with 'neg_category_ids', as in LVIS, which annotates only some classes of an image: "
        "CocoMetric counts detections of the others as wrong; LVIS's own AP needs mmdet's "
        'LVISMetric',
        names,
    )


def _ignored(objects: Objects, evaluated: bool) -> Iterator[Finding]:
    """Find annotations on which mmdet does not train, although they are sound."""
    crowds = [f'id {record["id"]}' for record in objects.records if record.get('iscrowd')]
    ignored = [f'id {record["id"]}' for record in objects.records if record.get('ignore')]
    total = len(objects.records)
    meaning = 'evaluation counts neither as found nor as missed' if evaluated else 'not trained on'
    if crowds and 2 * len(crowds) >= total:
        every = 'every annotation is' if len(crowds) == total else 'most annotations are'
        what = f"annotation with 'iscrowd': 1, {meaning}; {every}"
        yield Finding('warning', what, len(crowds), tuple(crowds[:3]))
    if ignored:
        meaning = 'but evaluation counts it' if evaluated else 'not trained on'
        every = '; every annotation is' if len(ignored) == total else ''
        what = f"annotation with 'ignore': 1, {meaning}{every}"
        yield Finding('warning', what, len(ignored), tuple(ignored[:3]))


def _meaning_of_boxes(objects: Objects) -> Iterator[Finding]:
    """Find boxes that fit their images with another meaning of the four numbers."""
    boxes, sizes = objects.boxes, objects.sizes
    if boxes.max() <= 1.0 and (sizes > 1).any():
        what = 'box of numbers up to 1, as if they were shares of the image: expected pixels'
        yield from list_finding('warning', what, objects.quote(np.ones(len(boxes), dtype=bool)))
        return
    if objects.across.mean() < ACROSS:
        return
    first, second = boxes[:, :2], boxes[:, 2:]
    corners = ((second > first) & (second <= sizes + SLACK)).all(1)
    centres = ((first - second / 2 >= -SLACK) & (first + second / 2 <= sizes + SLACK)).all(1)
    for fits, form in ((corners, '[x1, y1, x2, y2]'), (centres, '[centre x, centre y, w, h]')):
        if fits.mean() >= FITTING:
            what = (
                f"box across its image's edge; {fits.mean():.0%} of all boxes fit as {form}: "
                'expected [x, y, width, height]'
            )
            yield from list_finding('warning', what, objects.quote(objects.across))
            return


def _repeated(objects: Objects) -> list[Finding]:
    """Find annotations with class and box of another in the same image."""
    seen: set[tuple[Any, ...]] = set()
    repeated = []
    for index in _alike(objects):
        record = objects.records[index]
        key = (record['image_id'], record['category_id'], *record['bbox'])
        if key in seen:
            repeated.append(f'id {record["id"]}: {record["bbox"]}')
        seen.add(key)
    every = '; each box is there twice' if 2 * len(repeated) == len(objects.records) else ''
    what = f'annotation with class and box of another, so that one of them counts as missed{every}'
    return list_finding('warning', what, repeated)


def _alike(objects: Objects) -> list[int]:
    """Select annotations that may be repeated: others have their hash of image, class and box."""
    keys = ((record['image_id'], record['category_id']) for record in objects.records)
    hashes = np.fromiter(map(hash, keys), np.int64, len(objects.records))
    for column in objects.boxes.T:
        hashes = hashes * 1_000_003 + (column + 0.0).view(np.int64)  # + 0.0: no -0.0
        hashes ^= hashes >> 29
    _, group, count = np.unique(hashes, return_inverse=True, return_counts=True)
    return [int(index) for index in np.flatnonzero(count[group] > 1)]


def _masks(objects: Objects) -> Iterator[Finding]:
    """Find polygons away from their image or their box: normalised, shifted, of another size."""
    masks = [record.get('segmentation') for record in objects.records]
    chunks = (masks[start : start + CHUNK] for start in range(0, len(masks), CHUNK))
    extents = np.concatenate([polygon_extents(chunk)[0] for chunk in chunks])
    known = ~np.isnan(extents).any(1)
    if not known.any():
        return
    if np.nanmax(extents) <= 1.0:
        what = 'mask with coordinates up to 1, as if they were shares of the image: expected pixels'
        yield from list_finding('warning', what, objects.quote(known))
        return
    low, high = extents[:, :2], extents[:, 2:]
    outside = known & ((low >= objects.sizes) | (high <= 0)).any(1)
    yield from list_finding(
        'warning', 'mask completely outside of its image', objects.quote(outside)
    )
    start, end = objects.boxes[:, :2], objects.boxes[:, :2] + objects.boxes[:, 2:]
    common = (np.minimum(high, end) - np.maximum(low, start)).clip(0).prod(1)
    union = (high - low).prod(1) + objects.boxes[:, 2:].prod(1) - common
    away = known & ~outside & (common < OVERLAP * union)
    what = 'mask elsewhere than its box, as if it were made for another size of the image'
    yield from list_finding('warning', what, objects.quote(away))
