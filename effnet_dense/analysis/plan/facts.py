"""Look at a dataset: its task, classes, sizes of objects and images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from effnet_dense.data.coco import CocoSource
from effnet_dense.data.coco.annotation_file import read_coco
from effnet_dense.data.demo import make_demo
from effnet_dense.data.image_files import image_size
from effnet_dense.data.label_maps.decode import decode_label_map
from effnet_dense.data.label_maps.folder import LabelSource
from effnet_dense.data.label_maps.pairs import pairs_of, split_files
from effnet_dense.data.parts import Division
from effnet_dense.data.statistics import Resizing
from effnet_dense.engine.dataset_tool import examine
from effnet_dense.utils.counted import counted
from effnet_dense.utils.progress import track

TASKS = ('detection', 'instances', 'semantic')
RARE = 50
"""Objects of a class below which `rules.augmentation` considers it rare."""

SAMPLED = 60
"""Label maps whose regions are measured, evenly spread."""

Sizes = NDArray[np.float64]


@dataclass(frozen=True)
class Facts:
    """A dataset as the rules need it; parts are those of `--data`.

    Attributes:
        root: The folder.
        task: One of `TASKS`.
        kind: What the annotations are, in words.
        classes: Names.
        train: Images that are trained on; mmdet leaves out those without objects.
        val: Images that are evaluated.
        objects: In the training part, by class; pixels for label maps.
        images: Width and height of each training image (N, 2), in pixels.
        sides: Square root of each object's area (K,), in pixels of its image. For label maps, of
            the connected regions.
        image_of: Width and height of each object's image (K, 2).
        weight: Of each object in shares (K,); without weights all are alike.
        division: How a dataset with one part is divided.
    """

    root: Path
    task: str
    kind: str
    classes: tuple[str, ...]
    train: int
    val: int
    objects: Mapping[str, int]
    images: Sizes
    sides: Sizes
    image_of: Sizes
    weight: Sizes = field(default_factory=lambda: np.zeros(0))
    division: Division | None = None

    @property
    def per_image(self) -> int:
        """Objects in a training image, at least 1, rounded up."""
        return max(1, int(np.ceil(len(self.sides) / max(1, self.train))))

    @property
    def image_size(self) -> tuple[int, int]:
        """Median width and height of the images."""
        width, height = np.median(self.images, axis=0)
        return round(width), round(height)

    @property
    def long_side(self) -> float:
        """Median of the images' longer sides, in pixels."""
        return float(np.median(self.images.max(1)))

    @property
    def has_rare_classes(self) -> bool:
        """Whether a class has fewer objects than `RARE`."""
        return any(count < RARE for count in self.objects.values())

    def share_from(self, pixels: float, size: Resizing | None = None) -> float:
        """Return the share of objects of at least this side after resizing; 1 without objects."""
        if not len(self.sides):
            return 1.0
        factors = np.ones(len(self.sides))
        if size is not None:
            factors = np.sqrt(size.factors(self.image_of).prod(1))
        weight = self.weight if len(self.weight) else np.ones(len(self.sides))
        return float(weight[self.sides * factors >= pixels].sum() / weight.sum())

    def describe(self) -> list[str]:
        """Return what is known in a few lines."""
        widths, heights = self.images.min(0), self.images.max(0)
        sizes = (
            f'{self.image_size[0]} × {self.image_size[1]} px (median; from {widths[0]:.0f} × '
            f'{widths[1]:.0f} to {heights[0]:.0f} × {heights[1]:.0f})'
        )
        lines = [
            f'{self.root}: {self.kind}; the task is {self.task}',
            f'{counted(self.train, "image")} to train on, {self.val} to evaluate, {sizes}',
            f'{counted(len(self.classes), "class")}, {self._amount()}',
        ]
        if len(self.sides):
            marks = ', '.join(f'{side:.0f}' for side in self._quantiles((5, 25, 50, 75, 95)))
            what = 'size of the region of a pixel' if self.task == 'semantic' else 'object size'
            lines.append(f'{what} in px, percentiles 5/25/50/75/95: {marks}')
        return lines

    def _quantiles(self, percents: Sequence[int]) -> list[float]:
        order = np.argsort(self.sides)
        weight = self.weight if len(self.weight) else np.ones(len(self.sides))
        below = np.cumsum(weight[order]) / weight.sum()
        places = np.searchsorted(below, np.array(percents) / 100)
        return self.sides[order][places.clip(max=len(order) - 1)].tolist()

    def _amount(self) -> str:
        counts = sorted(self.objects.items(), key=lambda item: -item[1])
        unit = 'pixels' if self.task == 'semantic' else 'objects'
        if not counts:
            return f'no {unit}'
        text = f'{sum(self.objects.values())} {unit}'
        if len(counts) < 2:
            return text
        (most, many), (least, few) = counts[0], counts[-1]
        return f'{text}: from {few} of {least} to {many} of {most}'


def look_at(folder: str | Path, task: str | None = None, division: Division | None = None) -> Facts:
    """Read a dataset as `--data` does, and measure it.

    Args:
        folder: The dataset's, a ZIP file, or 'demo'.
        task: One of `TASKS`; by default what the annotations allow: label maps are semantic,
            objects with masks instances, boxes detection.
        division: How a dataset with one part is divided.

    Raises:
        FileNotFoundError: There is no dataset, or none for the task.
        ValueError: The dataset has faults, or its objects have no masks.
    """
    if task is not None and task not in TASKS:
        raise ValueError(f'task must be one of {", ".join(TASKS)}, got {task!r}')
    root = make_demo('data/demo') if str(folder) == 'demo' else Path(folder)
    kind = {None: 'auto', 'semantic': 'label maps'}.get(task, 'objects')
    source = examine(root, kind, division=division, masks=task == 'instances')
    if isinstance(source, LabelSource):
        facts = _facts_of_label_maps(root, source)
    else:
        facts = _facts_of_objects(root, source, task)
    return replace(facts, division=division)


def _facts_of_objects(root: Path, source: CocoSource, task: str | None) -> Facts:
    train, val = (read_coco(source.splits[name].ann_file) for name in ('train', 'val'))
    sizes = {image['id']: (image['width'], image['height']) for image in train['images']}
    records = [r for r in train['annotations'] if r['image_id'] in sizes and not r.get('iscrowd')]
    if not records:
        raise ValueError(f'{root} has no objects to train on')
    masks = has_masks(records)
    chosen = task or ('instances' if masks else 'detection')
    names = {entry['id']: str(entry['name']) for entry in train['categories']}
    counts = Counter(names[record['category_id']] for record in records)
    boxes = np.array([record['bbox'] for record in records], dtype=np.float64).reshape(-1, 4)
    used = {record['image_id'] for record in records}
    what = 'objects with masks' if masks else 'objects with boxes'
    return Facts(
        root=root,
        task=chosen,
        kind=f'{what} ({source.format})',
        classes=source.classes,
        train=len(used),
        val=len(val['images']),
        objects={name: counts[name] for name in source.classes},
        images=np.array([sizes[key] for key in sorted(used)], dtype=np.float64),
        sides=np.sqrt(boxes[:, 2:].clip(0).prod(1)),
        image_of=np.array([sizes[r['image_id']] for r in records], dtype=np.float64),
    )


def has_masks(records: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether all objects have a mask, and some one that is not their box."""
    found = [record.get('segmentation') for record in records]
    return bool(found) and all(found) and any(map(_is_shape, found))


def _is_shape(segmentation: Any) -> bool:
    """Whether a mask is more than a rectangle, which some tools write for boxes."""
    if isinstance(segmentation, Mapping):
        return True
    if len(segmentation) != 1 or len(segmentation[0]) != 8:
        return True
    points = np.array(segmentation[0], dtype=np.float64).reshape(4, 2)
    return any(len(np.unique(points[:, axis])) != 2 for axis in (0, 1))


def _facts_of_label_maps(root: Path, source: LabelSource) -> Facts:
    reports = source.reports
    split = source.splits['train']
    pairs = pairs_of(split, split_files(split))
    images = [image_size(pair.image, split.upright) for pair in pairs]
    sampled = pairs[:: max(1, len(pairs) // SAMPLED)]
    plain = source.encoding.colours is None
    regions = [
        region
        for pair in track(sampled if plain else [], 'Measuring regions')
        for region in _regions(pair.label, source)
    ]
    sides = np.sqrt(np.array([area for _, area, _ in regions], dtype=np.float64))
    return Facts(
        root=root,
        task='semantic',
        kind='label maps',
        classes=source.classes,
        train=reports['train'].images,
        val=reports['val'].images,
        objects=dict(zip(source.classes, reports['train'].pixels, strict=True)),
        images=np.array([size for size in images if size], dtype=np.float64),
        sides=sides,
        image_of=np.array([size for *_, size in regions], dtype=np.float64).reshape(-1, 2),
        weight=_weights([(label, area) for label, area, _ in regions]),
    )


def _regions(path: Path, source: LabelSource) -> list[tuple[int, int, tuple[int, int]]]:
    """List a label map's connected regions: value, pixels, (width, height) of the image."""
    values = decode_label_map(path.read_bytes())
    height, width = values.shape
    found = []
    for value in np.unique(values):
        if value == source.ignore:
            continue
        mask = (values == value).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        found += [(int(value), int(row[cv2.CC_STAT_AREA]), (width, height)) for row in stats[1:]]
    return found


def _weights(regions: list[tuple[int, int]]) -> Sizes:
    """Weight regions by their share of their class's pixels, all classes alike, as mIoU does."""
    totals: Counter[int] = Counter()
    for label, area in regions:
        totals[label] += area
    return np.array([area / totals[label] / len(totals) for label, area in regions])
