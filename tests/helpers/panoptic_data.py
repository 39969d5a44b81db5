"""Two images in COCO's panoptic layout, with predictions of known quality."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmdet.datasets import CocoPanopticDataset
from numpy.typing import NDArray

SIZE = 64
CLASSES = CocoPanopticDataset.METAINFO['classes']
THINGS = len(CocoPanopticDataset.METAINFO['thing_classes'])
VOID = len(CLASSES)
PERSON, CAR, SKY, GRASS = (
    CLASSES.index(name) for name in ('person', 'car', 'sky-other-merged', 'grass-merged')
)
HORIZON = 1_000_000  # a segment's id needs all three bytes of its colour

Map = NDArray[np.int32]


def category_id(label: int) -> int:
    """Ids with gaps, like COCO's."""
    return 2 * label + 1


def landscape() -> dict[int, Map]:
    """The first image's masks: sky above, grass below, 32 rows each."""
    sky = np.zeros((SIZE, SIZE), bool)
    sky[:32] = True
    return {SKY: sky, GRASS: ~sky}


def things() -> dict[int, Map]:
    """The second image's masks: a person of 16 × 16 and a car of 8 × 16 in front of the sky."""
    person, car = np.zeros((2, SIZE, SIZE), bool)
    person[8:24, 8:24] = True
    car[40:48, 40:56] = True
    return {PERSON: person, CAR: car, SKY: ~(person | car)}


def predictions() -> dict[str, Map]:
    """A map for each image, in mmdet's encoding: label + 1000 · instance number.

    ======  ==================================  ===  ==  ==  =====  ====  ===
            IoU of the matched                   tp  fp  fn  PQ     SQ    RQ
    ======  ==================================  ===  ==  ==  =====  ====  ===
    sky     32/40 rows, 1                          2   0   0  0.9    0.9   1
    grass   24/32 rows                             1   0   0  0.75   0.75  1
    person  12/16 columns                          1   0   0  0.75   0.75  1
    car     part of the person is no car           0   1   1  0      0     0
    ======  ==================================  ===  ==  ==  =====  ====  ===
    """
    first = np.full((SIZE, SIZE), SKY, np.int32)
    first[40:] = GRASS
    second = np.full((SIZE, SIZE), SKY, np.int32)
    second[8:24, 8:20] = 1000 + PERSON
    second[8:24, 20:24] = 2000 + CAR
    second[40:48, 40:56] = VOID
    return {'000000000001.jpg': first, '000000000002.jpg': second}


QUALITY = {
    **{'PQ': 60.0, 'SQ': 60.0, 'RQ': 75.0},
    **{'PQ_th': 37.5, 'SQ_th': 37.5, 'RQ_th': 50.0},
    **{'PQ_st': 82.5, 'SQ_st': 82.5, 'RQ_st': 100.0},
}
"""Of `predictions`: the means of the table's rows, in per cent."""


def write_panoptic(root: Path) -> Path:
    """Write both images as train2017 and as val2017."""
    categories = [
        dict(id=category_id(label), name=name, isthing=int(label < THINGS))
        for label, name in enumerate(CLASSES)
    ]
    for part in ('train2017', 'val2017'):
        labels = root / 'annotations' / f'panoptic_{part}'
        labels.mkdir(parents=True)
        (root / part).mkdir()
        images, annotations = [], []
        for number, segments in enumerate((landscape(), things()), start=1):
            name = f'{number:012}'
            images.append(dict(id=number, file_name=f'{name}.jpg', width=SIZE, height=SIZE))
            annotations.append(
                dict(image_id=number, file_name=f'{name}.png', segments_info=infos(segments))
            )
            ids = sum((HORIZON + label) * mask for label, mask in segments.items())
            rgb = np.stack([ids % 256, ids // 256 % 256, ids // 256**2], axis=-1)
            cv2.imwrite(str(labels / f'{name}.png'), rgb[..., ::-1].astype(np.uint8))
            cv2.imwrite(str(root / part / f'{name}.jpg'), grey_image(segments))
        content = dict(images=images, annotations=annotations, categories=categories)
        (root / 'annotations' / f'panoptic_{part}.json').write_text(
            json.dumps(content), encoding='utf-8'
        )
    return root


def infos(segments: dict[int, Map]) -> list[dict[str, Any]]:
    """The annotation file's entry of each segment; its box is (x, y, width, height)."""
    return [
        dict(
            id=HORIZON + label,
            category_id=category_id(label),
            iscrowd=0,
            bbox=cv2.boundingRect(mask.astype(np.uint8)),
            area=int(mask.sum()),
        )
        for label, mask in segments.items()
    ]


def grey_image(segments: dict[int, Map]) -> NDArray[np.uint8]:
    """An image with a shade of grey for each segment."""
    grey = sum((40 + 50 * i) * mask for i, mask in enumerate(segments.values()))
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def in_place_of_coco(root: Path) -> dict[str, str]:
    """`--cfg-options` that point a panoptic config at the dataset."""
    values = {
        f'{loop}_dataloader.dataset.data_root': f'{root}/' for loop in ('train', 'val', 'test')
    }
    for loop in ('val', 'test'):
        values[f'{loop}_evaluator.ann_file'] = f'{root}/annotations/panoptic_val2017.json'
        values[f'{loop}_evaluator.seg_prefix'] = f'{root}/annotations/panoptic_val2017/'
    return values
