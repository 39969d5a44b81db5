"""Average precision in large images, predicted as a whole and in tiles.

    python -m benchmarks.tiles RUN DATA/images DATA/val.json [--tile 480 640]

A large image is a grid of the set's images, at their own size; their objects are small in it. The
images should be those that the run was not trained on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from effnet_dense.inference import Predictor
from effnet_dense.inference.tiles import Tiling
from effnet_dense.utils.console import print_table

CELL = 480
"""Pixels of the sides of a grid's cells; larger images are cut off."""


def large_images(truth: COCO, folder: Path, grid: tuple[int, int]) -> tuple[list[Any], COCO]:
    """Return grids of a set's images, and their objects."""
    rows, columns = grid
    ids = sorted(truth.imgs)
    canvases, annotations = [], []
    for number, first in enumerate(range(0, len(ids), rows * columns)):
        canvas = np.zeros((rows * CELL, columns * CELL, 3), np.uint8)
        for place, key in enumerate(ids[first : first + rows * columns]):
            y, x = place // columns * CELL, place % columns * CELL
            image = cv2.imread(str(folder / truth.imgs[key]['file_name']))[:CELL, :CELL]
            canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
            for annotation in truth.imgToAnns[key]:
                box = _moved(annotation['bbox'], x, y)
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=number,
                        category_id=annotation['category_id'],
                        bbox=box,
                        area=box[2] * box[3],
                        iscrowd=annotation.get('iscrowd', 0),
                    )
                )
        canvases.append(canvas)
    large = COCO()
    listed = [dict(id=n, height=rows * CELL, width=columns * CELL) for n in range(len(canvases))]
    large.dataset = dict(
        images=listed, annotations=annotations, categories=truth.dataset['categories']
    )
    large.createIndex()
    return canvases, large


def _moved(box: Sequence[float], x: int, y: int) -> list[float]:
    """Return a box (x, y, width, height) within a cell, in the grid's pixels."""
    ends = min(box[0] + box[2], CELL), min(box[1] + box[3], CELL)
    return [box[0] + x, box[1] + y, max(ends[0] - box[0], 0), max(ends[1] - box[1], 0)]


def precision(predictor: Predictor, images: Sequence[Any], truth: COCO) -> list[str]:
    """Return AP, AP50 and AR at 100 detections."""
    ids = truth.getCatIds()
    found = []
    for number, image in enumerate(images):
        instances = predictor(image).pred_instances
        values = zip(instances.bboxes.tolist(), instances.scores, instances.labels, strict=True)
        for (x1, y1, x2, y2), score, label in values:
            box = [x1, y1, x2 - x1, y2 - y1]
            found.append(
                dict(image_id=number, category_id=ids[label], bbox=box, score=float(score))
            )
    evaluation = COCOeval(truth, truth.loadRes(found), 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return [f'{evaluation.stats[index]:.3f}' for index in (0, 1, 8)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('run')
    parser.add_argument('images', type=Path, help='folder')
    parser.add_argument('annotations', type=Path, help="file in COCO's format")
    parser.add_argument('--grid', type=int, nargs=2, default=(3, 4), metavar=('ROWS', 'COLUMNS'))
    parser.add_argument('--tile', type=int, nargs='+', default=[480])
    parser.add_argument('--overlap', type=float, default=0.2)
    args = parser.parse_args()
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(args.annotations))
        images, large = large_images(truth, args.images, tuple(args.grid))
        rows = []
        for tiling in (None, *(Tiling(side, args.overlap) for side in args.tile)):
            predictor = Predictor(args.run, device='cpu', tiling=tiling)
            name = 'whole' if tiling is None else f'tiles of {tiling.side}'
            rows.append([name, *precision(predictor, images, large)])
    print_table('Large images', ['predicted', 'AP', 'AP50', 'AR'], rows, 'lrrr')


if __name__ == '__main__':
    main()
