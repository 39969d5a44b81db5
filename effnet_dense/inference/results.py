"""Write a folder of predictions in COCO's formats.

images.json         images and categories: `COCO('images.json').loadRes('predictions.json')`
predictions.json    detections: COCO's results, a list; masks as run lengths
annotations.json    if asked for: detections as a dataset in COCO's format
panoptic.json       panoptic: COCO's annotations; label maps are in panoptic/NAME.png
labels/NAME.png     semantic: the class of each pixel, counted from 0, which is its category id
pictures/NAME       images with drawn predictions
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from panopticapi.utils import id2rgb

from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.evaluation.image_writing import write_image
from effnet_dense.inference.annotations import dataset_annotations
from effnet_dense.inference.categories import CocoIds
from effnet_dense.inference.coco_results import detections, segments
from effnet_dense.inference.json_list import JsonList
from effnet_dense.utils.atomic import partial_path
from effnet_dense.utils.outputs import claim_folder, write_output

NO_CLASS = 255
RESERVE = 4 << 20
"""Bytes that are at most kept free to finish the JSON files when the disk is full."""


class Results:
    """Writes predictions as they arrive; JSON files get their final names in `close`.

    An image whose predictions cannot be written is in none of them.

    Args:
        folder: Created if missing; files of an earlier run are replaced, others are not.
        classes: Names of the model's classes.
        ids: Ids of categories and images, for detections and panoptic segments.
        things: Number of thing classes, which come first; 0 unless the model is panoptic.
        maps: Image's name → its label map's, where more than the suffix differs.
        drawings: Image's name → its drawing's, where they differ.
        annotate: Lowest score of the detections that become annotations; None for no such file.
    """

    def __init__(
        self,
        folder: str | Path,
        classes: tuple[str, ...],
        ids: CocoIds,
        things: int = 0,
        maps: Mapping[str, str] | None = None,
        drawings: Mapping[str, str] | None = None,
        annotate: float | None = None,
    ) -> None:
        self.folder = claim_folder(folder)
        self._maps = maps or {}
        self._drawings = drawings or {}
        self._annotate = annotate
        self._classes = classes
        self._ids = ids
        self._things = things
        self._images: list[dict[str, Any]] = []
        self._next = ids.first_free
        self._lists: dict[str, JsonList] = {}
        self._semantic = False
        self._reserve = partial_path(self.folder / 'reserve')
        self._keep_free()

    @property
    def count(self) -> int:
        """Number of images and frames so far."""
        return len(self._images)

    def add(self, name: str, size: tuple[int, int], sample: Any, **more: Any) -> None:
        """Write the predictions for an image.

        Args:
            name: The image's name with folders, for `file_name`.
            size: Height and width.
            sample: Its DetDataSample or SegDataSample.
            more: Further fields of the image, such as a video frame's number.

        Raises:
            OSError, ValueError: They cannot be written.
        """
        counts = {key: entries.count for key, entries in self._lists.items()}
        before = len(self._images), self._next
        try:
            self._add(name, size, sample, more)
        except BaseException:
            del self._images[before[0] :]
            self._next = before[1]
            for key, entries in self._lists.items():
                entries.drop(counts.get(key, 0))
            raise

    def _keep_free(self) -> None:
        """Occupy a small part of the disk until `release`."""
        try:
            free = shutil.disk_usage(self.folder).free
            self._reserve.write_bytes(os.urandom(min(RESERVE, free // 16)))
        except OSError:
            self.release()

    def _add(self, name: str, size: tuple[int, int], sample: Any, more: dict[str, Any]) -> None:
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
        write_image(self.folder / 'pictures' / self._drawings.get(name, name), image)

    def release(self) -> None:
        """Free the reserve; after an error the JSON files are left unfinished."""
        self._reserve.unlink(missing_ok=True)

    def close(self) -> None:
        """Finish the JSON files."""
        self.release()
        categories = self._categories()
        for name, entries in self._lists.items():
            rest = json.dumps({'images': self._images, 'categories': categories})
            entries.close('' if name == 'predictions' else f', {rest[1:]}')
        listing = {'images': self._images, 'categories': categories, 'annotations': []}
        write_output(self.folder / 'images.json', json.dumps(listing))

    def _add_detections(self, image: dict[str, Any], instances: Any) -> None:
        entries = self._list('predictions')
        for entry in detections(instances, image['id'], self._ids.categories):
            entries.add(entry)
        entries.flush()
        if self._annotate is not None:
            self._add_annotations(image['id'], instances, self._annotate)

    def _add_annotations(self, image_id: int, instances: Any, score_thr: float) -> None:
        entries = self._list('annotations', '{"annotations": ')
        first = entries.count + 1
        for entry in dataset_annotations(
            instances, image_id, self._ids.categories, score_thr, first
        ):
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
