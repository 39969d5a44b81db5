"""A COCO dataset of a few small images, and the options that make a config as small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CLASSES = ('square', 'bar')
SIZE = 64


def write_data(
    folder: Path, train: int = 4, val: int = 2, classes: tuple[str, str] = CLASSES
) -> Path:
    """Write dark images (64 × 64) with one white square and one grey bar each."""
    draw = np.random.default_rng(0)
    for part, count in (('train', train), ('val', val)):
        (folder / 'images' / part).mkdir(parents=True, exist_ok=True)
        images, annotations = [], []
        for number in range(count):
            image = draw.integers(0, 60, (SIZE, SIZE, 3), dtype=np.uint8)
            boxes = [[*draw.integers(2, 30, 2), 24, 24], [*draw.integers(2, 30, 2), 8, 28]]
            for label, (x, y, w, h) in enumerate(boxes):
                image[y : y + h, x : x + w] = (255, 128)[label]
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=number + 1,
                        category_id=label + 1,
                        bbox=[int(x), int(y), w, h],
                        area=w * h,
                        iscrowd=0,
                        segmentation=[[int(v) for v in (x, y, x + w, y, x + w, y + h, x, y + h)]],
                    )
                )
            name = f'{number}.png'
            cv2.imwrite(str(folder / 'images' / part / name), image)
            images.append(dict(id=number + 1, file_name=name, width=SIZE, height=SIZE))
        categories = [dict(id=i + 1, name=name) for i, name in enumerate(classes)]
        (folder / 'annotations').mkdir(exist_ok=True)
        content = dict(images=images, annotations=annotations, categories=categories)
        (folder / 'annotations' / f'{part}.json').write_text(json.dumps(content), encoding='utf-8')
    return folder


def options(epochs: int = 1, batch: int = 2, **more: Any) -> dict[str, Any]:
    """`--cfg-options` for a detector's config: random weights, small images, no workers."""
    pipeline = 'train_dataloader.dataset.pipeline'
    values: dict[str, Any] = {
        'model.backbone.init_cfg': None,
        'model.backbone.norm_eval': False,  # random weights have no statistics to fix
        'model.data_preprocessor.batch_augments.0.size': (SIZE, SIZE),
        f'{pipeline}.2.scale': (SIZE, SIZE),
        f'{pipeline}.3.crop_size': (SIZE, SIZE),
        'train_dataloader.batch_size': batch,
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': 100,
        'default_hooks.logger.interval': 1,
        'model.test_cfg.score_thr': 0.0,  # so that an untrained model finds something
    }
    for loop in ('train', 'val', 'test'):
        values[f'{loop}_dataloader.num_workers'] = 0
        values[f'{loop}_dataloader.persistent_workers'] = False
        if loop != 'train':
            values[f'{loop}_dataloader.dataset.pipeline.1.scale'] = (SIZE, SIZE)
    return {**values, **more}


def narrow_retinanet(channels: int = 8) -> dict[str, Any]:
    """Options that give a RetinaNet few channels and one convolution in each of its towers."""
    return {
        'model.neck.out_channels': channels,
        'model.bbox_head.in_channels': channels,
        'model.bbox_head.feat_channels': channels,
        'model.bbox_head.stacked_convs': 1,
    }


def in_place_of_coco(data: Path) -> dict[str, Any]:
    """`--cfg-options` that point a config at the tiny dataset without `--data`.

    Its classes must be two of COCO's, person and car.
    """
    values: dict[str, Any] = {'model.bbox_head.num_classes': 2}
    for loop, split in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = f'{loop}_dataloader.dataset'
        values[f'{dataset}.data_root'] = f'{data}/'
        values[f'{dataset}.ann_file'] = f'annotations/{split}.json'
        values[f'{dataset}.data_prefix.img'] = f'images/{split}/'
        values[f'{dataset}.metainfo.classes'] = ('person', 'car')
        if loop != 'train':
            values[f'{loop}_evaluator.ann_file'] = str(data / 'annotations' / 'val.json')
    return values


def as_arguments(values: dict[str, Any]) -> list[str]:
    """The options as command-line arguments."""
    return ['--cfg-options', *(f'{key}={value}' for key, value in values.items())]
