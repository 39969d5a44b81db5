"""Write annotation files that have some classes alone, in another order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from effnet_dense.data.coco.annotation_file import read_coco
from effnet_dense.data.coco.written import json_chunks
from effnet_dense.utils.atomic import atomic_write
from effnet_dense.utils.counted import counted
from effnet_dense.utils.near_names import listed, with_nearest
from effnet_dense.utils.outputs import claim

Record = dict[str, Any]

XML = 'XMLDataset'
COCO = 'CocoDataset'
PANOPTIC = 'CocoPanopticDataset'


class AnnotationFiles:
    """The annotation files of a config's data, each reduced to the chosen classes once.

    mmdet numbers labels by the categories of the file, so that another order needs another file.

    Args:
        names: The classes to keep, in the order of their labels.
        folder: Where the files go.
    """

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        self.names = tuple(names)
        self.folder = folder
        self._written: dict[Path, Path] = {}
        self._lines: list[str] = []

    def choose(self, loop: str, dataset: Any, bases: Sequence[str]) -> None:
        """Point a data set at its reduced file; VOC's need none, since labels follow `metainfo`.

        Args:
            loop: Its loop, for messages.
            dataset: Its config, changed in place.
            bases: Names of its type and of what that inherits from.

        Raises:
            FileNotFoundError: It has no annotation file.
            ValueError: It is not of this kind, or no image has objects of the classes.
        """
        if XML in bases:
            return
        if COCO not in bases or PANOPTIC in bases:
            raise ValueError(
                f'--classes {" ".join(self.names)}: expected COCO annotations or VOC XML in '
                f'{loop}_dataloader, got {bases[0]}: convert them, and name the folder with --data'
            )
        path = _joined(dataset.get('data_root'), dataset.get('ann_file') or '')
        dataset['ann_file'] = str(self.written(path, loop))

    def written(self, ann_file: str | Path, loop: str) -> Path:
        """Return the reduced file of an annotation file.

        Raises:
            FileNotFoundError, ValueError: See `choose`.
        """
        path = Path(ann_file).absolute()
        if path in self._written.values():
            return path
        if path not in self._written:
            content = read_coco(path)
            chosen = choose_categories(content, self.names, path)
            self._lines.append(_describe(loop, content, chosen, self.names, path))
            self._written[path] = self._write(path, chosen)
        return self._written[path]

    def log(self) -> None:
        """Log the numbers of images and objects."""
        for line in self._lines:
            print_log(f'--classes: {line}')

    def _write(self, path: Path, content: Record) -> Path:
        taken = {other.name for other in self._written.values()}
        name = path.name if path.name not in taken else f'{path.stem}_{len(taken)}.json'
        target = (self.folder / 'classes' / name).absolute()
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(claim(target), json_chunks(content), fsync=False)
        return target


def choose_categories(content: Record, names: Sequence[str], path: Path) -> Record:
    """Keep the categories of these names, in their order, and their annotations; all images stay.

    Args:
        content: {'images': [dict], 'annotations': [dict], 'categories': [dict]}
        names: The names to keep.
        path: For messages.

    Raises:
        ValueError: A name belongs to no category, or to several.
    """
    by_name: dict[str, list[Record]] = {}
    for category in content['categories']:
        by_name.setdefault(category.get('name', ''), []).append(category)
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise ValueError(f'--classes: {path} has no category {with_nearest(unknown, by_name)}')
    repeated = [name for name in names if len(by_name[name]) > 1]
    if repeated:
        raise ValueError(f'--classes: {path} has several categories named {listed(repeated)}')
    categories = [by_name[name][0] for name in names]
    ids = {category['id'] for category in categories}
    annotations = [a for a in content['annotations'] if a.get('category_id') in ids]
    return {**content, 'annotations': annotations, 'categories': categories}


def _describe(loop: str, content: Record, chosen: Record, names: Sequence[str], path: Path) -> str:
    """Count the images with objects that stay, and the objects that do not.

    Raises:
        ValueError: None stays.
    """
    with_objects = Counter(a['image_id'] for a in chosen['annotations'])
    if not with_objects:
        raise ValueError(f'--classes: no image of {path} has an object of {listed(names)}')
    left_out = len(content['annotations']) - len(chosen['annotations'])
    return (
        f'{loop}_dataloader keeps {counted(len(chosen["annotations"]), "object")} of '
        f'{listed(names)} in {len(with_objects)} of {counted(len(content["images"]), "image")}; '
        f'left out: {counted(left_out, "object")} of other classes'
    )


def _joined(root: str | None, ann_file: str) -> Path:
    """Return a data set's annotation file, as mmengine joins it with `data_root`."""
    return Path(os.path.join(root or '', ann_file))
