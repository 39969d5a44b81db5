"""How long a sample takes: mmdet's pipeline, ours, and what OpenCV alone needs for the pixels."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import mmcv
import numpy as np
from mmengine.registry import DefaultScope
from rich.console import Console
from rich.progress import Progress

from effnet_dense.analysis.clock import interleaved, ratio

RATIOS = (0.1, 2.0)  # EfficientDet's (section 5.1)
REFERENCE = 'mmdet'


@dataclass(frozen=True)
class Loading:
    """Milliseconds for a picture, and how many times as fast as mmdet: medians of the rounds."""

    name: str
    milliseconds: float
    speed: float


def pipelines(size: int) -> dict[str, list[dict[str, Any]]]:
    """mmdet's and ours, for the same work: jitter 0.1–2.0, a crop, a flip of half."""
    rest: list[dict[str, Any]] = [
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='RandomResize', scale=(size, size), ratio_range=RATIOS, keep_ratio=True),
        dict(type='RandomCrop', crop_size=(size, size), allow_negative_crop=True),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackDetInputs'),
    ]
    own = dict(type='effnet_dense.LoadImageFromFile')
    return {REFERENCE: [dict(type='LoadImageFromFile'), *rest], 'ours': [own, *rest]}


def measure_loading(
    folder: Path, ann_file: str, images: str, size: int, repeats: int
) -> list[Loading]:
    """Make every sample of a COCO file once a round, in one process and thread, taking turns.

    Args:
        folder: The data set's.
        ann_file: Inside of it.
        images: The pictures' folder inside of it.
        size: Of the crop at most, in pixels.
        repeats: Rounds that count.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: no picture has a box, or a number is not positive.
    """
    from mmdet.registry import DATASETS

    if size < 1 or repeats < 1:
        raise ValueError(f'size and repeats must be at least 1, got {size} and {repeats}')
    for path in (folder / ann_file, folder / images):
        if not path.exists():
            raise FileNotFoundError(f'expected annotations and pictures, and there is no {path}')
    content = json.loads((folder / ann_file).read_text(encoding='utf-8'))
    if not content['annotations']:
        raise ValueError(f'no picture of {folder / ann_file} has a box')
    classes = tuple(category['name'] for category in content['categories'])
    cv2.setNumThreads(0)  # as in a loader's worker
    tasks: dict[str, Callable[[], object]] = {}
    with DefaultScope.overwrite_default_scope('mmdet'):
        for name, pipeline in pipelines(size).items():
            dataset = DATASETS.build(
                dict(
                    type='CocoDataset',
                    data_root=str(folder),
                    ann_file=ann_file,
                    metainfo=dict(classes=classes),
                    data_prefix=dict(img=images),
                    filter_cfg=dict(filter_empty_gt=True, min_size=1),
                    pipeline=pipeline,
                )
            )
            tasks[name] = partial(_make_all, dataset)
    count = len(dataset)
    paths = [dataset.get_data_info(index)['img_path'] for index in range(count)]
    contents = [Path(path).read_bytes() for path in paths]
    tasks['OpenCV: decode, resize, cut, flip'] = partial(_pixels_alone, contents, size)
    tasks['OpenCV: decode'] = partial(_decode_all, contents, cv2.IMREAD_COLOR)
    tasks['OpenCV: decode an eighth'] = partial(_decode_all, contents, cv2.IMREAD_REDUCED_COLOR_8)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task('loading', total=repeats * len(tasks))
        times = interleaved(list(tasks.values()), repeats, tick=lambda: progress.advance(bar))
    return [
        Loading(name, 1000 * median(own) / count, ratio(times[0], own))
        for name, own in zip(tasks, times, strict=True)
    ]


def _make_all(dataset: Any) -> None:
    random.seed(0)
    np.random.seed(0)
    for index in range(len(dataset)):
        dataset.prepare_data(index)


def _decode_all(contents: list[bytes], flag: int) -> None:
    for content in contents:
        cv2.imdecode(np.frombuffer(content, np.uint8), flag)


def _pixels_alone(contents: list[bytes], size: int) -> None:
    random.seed(0)
    np.random.seed(0)
    for content in contents:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        side = int(size * np.random.uniform(*RATIOS))
        image = mmcv.imrescale(image, (side, side))
        top, left = (np.random.randint(max(length - size, 0) + 1) for length in image.shape[:2])
        image = image[top : top + size, left : left + size]
        np.ascontiguousarray(image[:, ::-1] if np.random.random() < 0.5 else image)
