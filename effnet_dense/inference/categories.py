"""The numbers that JSON files in COCO's format give to classes and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmdet.datasets import CocoDataset

from effnet_dense.data.coco.annotation_file import read_coco
from effnet_dense.data.coco.faults import field_faults
from effnet_dense.data.coco.fields import CATEGORY_FIELDS, IMAGE_FIELDS
from effnet_dense.weights.detector_rows import COCO_USED


@dataclass(frozen=True)
class CocoIds:
    """The ids of classes, in the model's order, and of images that somebody has numbered.

    `images` is by file name; other images are numbered from the first free id on.
    """

    categories: tuple[int, ...]
    images: Mapping[str, int] = field(default_factory=dict)

    @property
    def first_free(self) -> int:
        """The id of the first image without a number."""
        return max(self.images.values(), default=0) + 1


def default_ids(classes: Sequence[str]) -> CocoIds:
    """COCO's own ids, from 1 to 90, for its 80 classes; 1, 2, … for others."""
    if tuple(classes) == tuple(CocoDataset.METAINFO['classes']):
        return CocoIds(COCO_USED)
    return CocoIds(tuple(range(1, len(classes) + 1)))


def ids_of(ann_file: str | Path, classes: Sequence[str]) -> CocoIds:
    """The ids of an annotation file in COCO's format, so that results can be compared with it.

    Its file names are looked up, never opened.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not COCO's format, or a class of the model is not among its categories.
    """
    content = read_coco(Path(ann_file))
    for key, fields in (('categories', CATEGORY_FIELDS), ('images', IMAGE_FIELDS)):
        for fault in field_faults(key, content[key], fields):
            raise ValueError(f'{ann_file}: {fault}')
    ids = {category['name']: category['id'] for category in content['categories']}
    lacking = [name for name in classes if name not in ids]
    if lacking:
        raise ValueError(
            f'{ann_file} has no categories {lacking[:5]}, which the model knows; it has '
            f'{sorted(ids)[:20]}'
        )
    numbers = {image['file_name']: image['id'] for image in content['images']}
    return CocoIds(tuple(ids[name] for name in classes), numbers)
