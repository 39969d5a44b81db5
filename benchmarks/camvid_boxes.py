"""Make a detection set of CamVid: the connected parts of its label maps, with boxes and masks.

    python -m benchmarks.camvid_boxes DATA/camvid OUT
    python tools/train.py effnet_lite0_retinanet_finetune --data OUT

Recipes for small datasets that were chosen on others are confirmed on it. Of the classes that can
be counted, parts of at least 100 pixels are objects; where objects of a class touch, they are one.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from effnet_dense.commands.program import run
from effnet_dense.utils.console import print_table

CLASSES = ('sign', 'car', 'pedestrian', 'bicyclist')
MIN_AREA = 100
"""Pixels; images have 480 × 360."""


def objects_of(labels: np.ndarray, value: int) -> list[dict[str, Any]]:
    """Return COCO's box, area and mask (RLE) of each connected part of a class.

    Args:
        labels: (H, W) label map.
        value: The class's label.
    """
    mask = (labels == value).astype(np.uint8)
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = []
    for number, (*box, area) in enumerate(statistics.tolist()):
        if number and area >= MIN_AREA:  # the first is the background
            rle = coco_mask.encode(np.asfortranarray(parts == number))
            rle['counts'] = rle['counts'].decode()
            found.append(dict(bbox=box, area=area, segmentation=rle))
    return found


def coco_of(camvid: Path, part: str) -> dict[str, Any]:
    """Return a part, 'train' or 'val', as COCO annotations.

    Raises:
        FileNotFoundError: There are no label maps.
    """
    names = json.loads((camvid / 'classes.json').read_text(encoding='utf-8'))['classes']
    maps = sorted((camvid / 'labels' / part).glob('*.png'))
    if not maps:
        raise FileNotFoundError(f'no label maps (*.png) in {camvid / "labels" / part}')
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for number, path in enumerate(maps, 1):
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        height, width = labels.shape
        images.append(dict(id=number, file_name=f'{path.stem}.jpg', height=height, width=width))
        for category, name in enumerate(CLASSES, 1):
            for found in objects_of(labels, names.index(name)):
                key = dict(id=len(objects) + 1, image_id=number, category_id=category, iscrowd=0)
                objects.append(key | found)
    categories = [dict(id=category, name=name) for category, name in enumerate(CLASSES, 1)]
    return dict(images=images, annotations=objects, categories=categories)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    arguments = argparse.ArgumentParser(
        prog='python -m benchmarks.camvid_boxes',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = arguments.add_argument
    add('camvid', type=Path, metavar='CAMVID', help='the folder with images, labels, classes.json')
    add('out', type=Path, metavar='OUT', help='a folder that does not exist yet')
    add('--debug', action='store_true', help="show an error's traceback")
    return arguments


def main(args: argparse.Namespace) -> None:
    """Write annotations and links to the images, and print how many objects there are.

    Raises:
        FileExistsError: OUT exists.
    """
    parts = {part: coco_of(args.camvid, part) for part in ('train', 'val')}
    if args.out.exists():
        raise FileExistsError(f'{args.out} exists: expected a new folder')
    (args.out / 'annotations').mkdir(parents=True)
    (args.out / 'images').mkdir()
    rows = []
    for part, truth in parts.items():
        path = args.out / 'annotations' / f'{part}.json'
        path.write_text(json.dumps(truth), encoding='utf-8')
        (args.out / 'images' / part).symlink_to((args.camvid / 'images' / part).resolve())
        found = [entry['category_id'] for entry in truth['annotations']]
        counts = [str(found.count(category)) for category in range(1, len(CLASSES) + 1)]
        rows.append([part, str(len(truth['images'])), *counts])
    print_table(str(args.out), ['part', 'images', *CLASSES], rows)


if __name__ == '__main__':
    sys.exit(run(main, parser()))
