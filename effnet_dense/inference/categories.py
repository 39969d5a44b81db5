"""Choose the ids of classes and images for JSON files in COCO's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmdet.datasets import CocoDataset

from effnet_dense.data.coco.annotation_file import read_coco
from effnet_dense.data.coco.faults import field_faults
from effnet_dense.data.coco.fields import CATEGORY_FIELDS, IMAGE_FIELDS
from effnet_dense.utils.output_names import portable_name
from effnet_dense.weights.detector_rows import COCO_USED


@dataclass(frozen=True)
class CocoIds:
    """Ids of classes and images.

    Attributes:
        categories: Category ids in the order of the model's labels.
        images: File name → id. Other images are numbered from `first_free` on.
    """

    categories: tuple[int, ...]
    images: Mapping[str, int] = field(default_factory=dict)

    @property
    def first_free(self) -> int:
        """The id for the first image that is not in `images`."""
        return max(self.images.values(), default=0) + 1


def default_ids(classes: Sequence[str]) -> CocoIds:
    """Return COCO's own ids, from 1 to 90, for its 80 classes; 1, 2, … for others."""
    if tuple(classes) == tuple(CocoDataset.METAINFO['classes']):
        return CocoIds(COCO_USED)
    return CocoIds(tuple(range(1, len(classes) + 1)))


def ids_from(ann_file: str | Path, classes: Sequence[str]) -> CocoIds:
    """Read the ids of an annotation file, so that results can be compared with it.

    Its images are looked up by file name and not opened.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not COCO's format, or a class of the model is not among its categories.
    """
    content = read_coco(Path(ann_file))
    for key, fields in (('categories', CATEGORY_FIELDS), ('images', IMAGE_FIELDS)):
        for fault in field_faults(key, content[key], fields):
            raise ValueError(f'{ann_file}: {fault}')
    ids = {category['name']: category['id'] for category in content['categories']}
    missing = [name for name in classes if name not in ids]
    if missing:
        raise ValueError(
            f'{ann_file} has no categories {missing[:5]} of the model; it has {sorted(ids)[:20]}'
        )
    numbers = {portable_name(image['file_name']): image['id'] for image in content['images']}
    return CocoIds(tuple(ids[name] for name in classes), numbers)
