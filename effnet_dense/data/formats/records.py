"""Collect images and annotations as a COCO file's records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from effnet_dense.data.formats.shapes import Segmentation, rectangle

Record = dict[str, Any]


@dataclass
class Records:
    """Images and annotations with class names in place of category ids.

    Image ids and annotation ids are counted from 1, in the order of the source.
    """

    images: list[Record] = field(default_factory=list)
    annotations: list[Record] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def add_image(self, file_name: str, size: tuple[int, int] | None = None) -> int:
        """Add an image, with its width and height if the source states them; return its id."""
        image: Record = {'id': len(self.images) + 1, 'file_name': file_name}
        if size is not None:
            image |= {'width': size[0], 'height': size[1]}
        self.images.append(image)
        return image['id']

    def add(
        self,
        image: int,
        label: str,
        box: Sequence[float],
        segmentation: Segmentation | None = None,
        crowd: bool = False,
    ) -> None:
        """Add an object.

        Args:
            image: The image's id.
            label: Its class.
            box: x, y, width and height in pixels.
            segmentation: Polygons or run lengths, as in COCO's files.
            crowd: To be ignored by training and evaluation, as COCO's crowds are.
        """
        annotation: Record = {'id': len(self.annotations) + 1, 'image_id': image}
        annotation |= {'category_id': 0, 'bbox': list(box), 'iscrowd': int(crowd)}
        if segmentation is not None:
            annotation['segmentation'] = segmentation
        self.annotations.append(annotation)
        self.labels.append(label)

    def fill_masks(self) -> int:
        """Where some objects have masks, give boxes the mask of a rectangle; count these."""
        boxes = [entry for entry in self.annotations if 'segmentation' not in entry]
        if len(boxes) == len(self.annotations):
            return 0
        for annotation in boxes:
            annotation['segmentation'] = [rectangle(*annotation['bbox'])]
        return len(boxes)

    def coco(self, classes: Sequence[str]) -> Record:
        """Return COCO's records; category ids are positions in `classes`, counted from 1."""
        ids = {name: i for i, name in enumerate(classes, start=1)}
        for annotation, label in zip(self.annotations, self.labels, strict=True):
            annotation['category_id'] = ids[label]
        categories = [{'id': i, 'name': name} for name, i in ids.items()]
        return {
            'images': self.images,
            'annotations': self.annotations,
            'categories': categories,
        }
