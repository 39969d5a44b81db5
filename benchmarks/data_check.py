"""Time and memory of the check of a dataset of COCO's size: 118,000 images, 860,000 objects.

python -m benchmarks.data_check [FOLDER] [--images N] [--repair]

The dataset is generated: 64-pixel images, polygons of 20 points. With --repair the annotations have
no ids and no areas, so that all of them are rewritten.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

IMAGES, OBJECTS, CLASSES, POINTS, SIDE = 118_000, 860_000, 80, 20, 64
DIFFERENT = 1000
"""Images with content of their own; the others are links to them."""


def generate(root: Path, images: int, repair: bool) -> Path:
    """Write a dataset in COCO's layout, val a twentieth of train."""
    draw = np.random.default_rng(0)
    for part, count in (('train', images), ('val', images // 20)):
        folder = root / f'{part}2017'
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(count):
            path = folder / f'{part}_{i:012d}.jpg'
            if i < DIFFERENT:
                pixels = draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
                cv2.imwrite(str(path), pixels)
            elif not path.exists():
                os.link(folder / f'{part}_{i % DIFFERENT:012d}.jpg', path)
        content = records(draw, part, count, count * OBJECTS // IMAGES, repair)
        path = root / f'annotations/instances_{part}2017.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding='utf-8')
    return root


def records(
    draw: np.random.Generator, part: str, images: int, objects: int, repair: bool
) -> dict[str, object]:
    """Return COCO's records of a part."""
    angle = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1).ravel()
    centres, radii = draw.uniform(16, 48, (objects, 2)), draw.uniform(4, 15, objects)
    annotations = []
    for i, ((x, y), radius) in enumerate(zip(centres, radii, strict=True)):
        polygon = np.round(np.tile([x, y], POINTS) + radius * circle, 2).tolist()
        annotation = {
            'segmentation': [polygon],
            'iscrowd': 0,
            'image_id': int(draw.integers(1, images + 1)),
            'bbox': np.round([x - radius, y - radius, 2 * radius, 2 * radius], 2).tolist(),
            'category_id': int(draw.integers(1, CLASSES + 1)),
        }
        if not repair:
            annotation |= {'id': i + 1, 'area': round(float(3.09 * radius**2), 2)}
        annotations.append(annotation)
    return {
        'images': [
            {'id': i + 1, 'file_name': f'{part}_{i:012d}.jpg', 'width': SIDE, 'height': SIDE}
            for i in range(images)
        ],
        'annotations': annotations,
        'categories': [{'id': i + 1, 'name': f'class {i}'} for i in range(CLASSES)],
    }


def main() -> None:
    """Generate the dataset where it is missing, and measure the check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', nargs='?', type=Path)
    parser.add_argument('--images', type=int, default=IMAGES)
    parser.add_argument('--repair', action='store_true')
    args = parser.parse_args()
    root = args.folder or Path(tempfile.mkdtemp())
    if not (root / 'annotations').is_dir():
        process = os.fork()  # what generating needs is not measured
        if process == 0:
            generate(root, args.images, args.repair)
            os._exit(0)
        os.waitpid(process, 0)
    from effnet_dense.data import find_coco

    start, used = time.time(), time.process_time()
    source = find_coco(root, masks=('train', 'val'), scratch=root / 'run')
    print(source.summary())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f'{time.time() - start:.1f} s, {time.process_time() - used:.1f} s of CPU, '
        f'at most {peak:.2f} GiB'
    )


if __name__ == '__main__':
    main()
