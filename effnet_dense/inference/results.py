"""Write a folder of predictions in COCO's formats.

images.json         images and categories: `COCO('images.json').loadRes('predictions.json')`
predictions.json    detections: COCO's results, a list; masks as run lengths
panoptic.json       panoptic: COCO's annotations; label maps are in panoptic/NAME.png
labels/NAME.png     semantic: the class of each pixel, counted from 0, which is its category id
pictures/NAME       images with drawn predictions
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from panopticapi.utils import id2rgb

from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.inference.categories import CocoIds
from effnet_dense.inference.coco_results import detections, segments
from effnet_dense.inference.images import write_image
from effnet_dense.inference.json_list import JsonList
from effnet_dense.utils.atomic import atomic_write
from effnet_dense.utils.outputs import claim, claim_folder

NO_CLASS = 255


class Results:
    """Writes predictions as they arrive; JSON files get their final names in `close`.

    Args:
        folder: Created if missing; files of an earlier run are replaced, others are not.
        classes: Names of the model's classes.
        ids: Ids of categories and images, for detections and panoptic segments.
        things: Number of thing classes, which come first; 0 unless the model is panoptic.
        maps: Image's name → its label map's, where more than the suffix differs.
    """

    def __init__(
        self,
        folder: str | Path,
        classes: tuple[str, ...],
        ids: CocoIds,
        things: int = 0,
        maps: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = claim_folder(folder)
        self._maps = maps or {}
        self._classes = classes
        self._ids = ids
        self._things = things
        self._images: list[dict[str, Any]] = []
        self._next = ids.first_free
        self._lists: dict[str, JsonList] = {}
        self._semantic = False

    def add(self, name: str, size: tuple[int, int], sample: Any, **more: Any) -> None:
        """Write the predictions for an image.

        Args:
            name: The image's name with folders, for `file_name`.
            size: Height and width.
            sample: Its DetDataSample or SegDataSample.
            more: Further fields of the image, such as a video frame's number.
        """
        image_id = self._ids.images.get(name)
        if image_id is None:
            image_id, self._next = self._next, self._next + 1
        height, width = size
        image = {'id': image_id, 'file_name': name, 'width': width, 'height': height, **more}
        self._images.append(image)
        if 'pred_panoptic_seg' in sample:
            self._add_panoptic(image, sample.pred_panoptic_seg.sem_seg[0].numpy())
        elif 'pred_sem_seg' in sample:
            self._add_labels(name, sample.pred_sem_seg.data[0].numpy())
        else:
            self._add_detections(image, sample.pred_instances)

    def add_drawing(self, name: str, image: ImageArray) -> None:
        """Write a drawn image (H, W, 3), BGR."""
        write_image(self.folder / 'pictures' / name, image)

    def close(self) -> None:
        """Finish the JSON files."""
        categories = self._categories()
        for name, entries in self._lists.items():
            rest = json.dumps({'images': self._images, 'categories': categories})
            entries.close('' if name == 'predictions' else f', {rest[1:]}')
        listing = {'images': self._images, 'categories': categories, 'annotations': []}
        atomic_write(claim(self.folder / 'images.json'), json.dumps(listing))

    def _add_detections(self, image: dict[str, Any], instances: Any) -> None:
        entries = self._list('predictions')
        for entry in detections(instances, image['id'], self._ids.categories):
            entries.add(entry)
        entries.flush()

    def _add_panoptic(self, image: dict[str, Any], panoptic: Any) -> None:
        ids, records = segments(panoptic, self._ids.categories, self._things)
        file_name = self._map_of(image['file_name'])
        write_image(self.folder / 'panoptic' / file_name, id2rgb(ids)[..., ::-1])
        entries = self._list('panoptic', '{"annotations": ')
        record = {'image_id': image['id'], 'file_name': file_name, 'segments_info': records}
        entries.add(record)
        entries.flush()

    def _add_labels(self, name: str, labels: Any) -> None:
        self._semantic = True
        kind = np.uint8 if len(self._classes) <= NO_CLASS else np.uint16
        write_image(self.folder / 'labels' / self._map_of(name), labels.astype(kind))

    def _map_of(self, name: str) -> str:
        return self._maps.get(name) or PurePath(name).with_suffix('.png').as_posix()

    def _list(self, name: str, before: str = '') -> JsonList:
        if name not in self._lists:
            self._lists[name] = JsonList(self.folder / f'{name}.json', before)
        return self._lists[name]

    def _categories(self) -> list[dict[str, Any]]:
        ids = range(len(self._classes)) if self._semantic else self._ids.categories
        categories = [
            {'id': number, 'name': name} for number, name in zip(ids, self._classes, strict=True)
        ]
        if self._things:
            for label, category in enumerate(categories):
                category['isthing'] = int(label < self._things)
        return categories
