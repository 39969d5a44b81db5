"""Time the loading of samples: mmdet's pipeline, ours, and OpenCV for the pixels only."""

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

from effnet_dense.analysis.latency import median_ratio, time_interleaved
from effnet_dense.utils.progress import progress_bar

RATIOS = (0.1, 2.0)  # EfficientDet's scale jitter (section 5.1)
REFERENCE = 'mmdet'


@dataclass(frozen=True)
class LoadingTime:
    """The time of a pipeline, as medians over the rounds.

    Args:
        name: The pipeline's name.
        milliseconds: Time per image.
        speed: How many times as fast as mmdet.
    """

    name: str
    milliseconds: float
    speed: float


def pipelines(size: int) -> dict[str, list[dict[str, Any]]]:
    """Return mmdet's and our pipeline for the same work: jitter 0.1–2.0, crop, random flip."""
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
) -> list[LoadingTime]:
    """Load every sample of a COCO file once a round, interleaved, in one process and thread.

    Args:
        folder: The dataset's folder.
        ann_file: Annotations, relative to `folder`.
        images: Folder of images, relative to `folder`.
        size: Largest side of the crop in pixels.
        repeats: Number of timed rounds.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: No image has a box, or a number is not positive.
    """
    if size < 1 or repeats < 1:
        raise ValueError(f'size and repeats must be at least 1, got {size} and {repeats}')
    datasets = _build_datasets(folder, ann_file, images, size)
    cv2.setNumThreads(0)  # as in a data loader's worker
    tasks: dict[str, Callable[[], object]] = {
        name: partial(_load_all, dataset) for name, dataset in datasets.items()
    }
    count = len(datasets[REFERENCE])
    paths = [datasets[REFERENCE].get_data_info(index)['img_path'] for index in range(count)]
    files = [Path(path).read_bytes() for path in paths]
    tasks['OpenCV: decode, resize, cut, flip'] = partial(_transform_pixels, files, size)
    tasks['OpenCV: decode'] = partial(_decode_all, files, cv2.IMREAD_COLOR)
    tasks['OpenCV: decode an eighth'] = partial(_decode_all, files, cv2.IMREAD_REDUCED_COLOR_8)
    with progress_bar(transient=True) as progress:
        advance = partial(
            progress.advance, progress.add_task('loading', total=repeats * len(tasks))
        )
        times = time_interleaved(list(tasks.values()), repeats, on_task_done=advance)
    return [
        LoadingTime(name, 1000 * median(seconds) / count, median_ratio(times[0], seconds))
        for name, seconds in zip(tasks, times, strict=True)
    ]


def _build_datasets(folder: Path, ann_file: str, images: str, size: int) -> dict[str, Any]:
    """Return the datasets of both pipelines, without images that have no boxes."""
    from mmdet.registry import DATASETS

    for path in (folder / ann_file, folder / images):
        if not path.exists():
            raise FileNotFoundError(f'expected annotations and images, but there is no {path}')
    content = json.loads((folder / ann_file).read_text(encoding='utf-8'))
    if not content['annotations']:
        raise ValueError(f'no image of {folder / ann_file} has a box')
    config = dict(
        type='CocoDataset',
        data_root=str(folder),
        ann_file=ann_file,
        metainfo=dict(classes=tuple(category['name'] for category in content['categories'])),
        data_prefix=dict(img=images),
        filter_cfg=dict(filter_empty_gt=True, min_size=1),
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        return {
            name: DATASETS.build(dict(config, pipeline=pipeline))
            for name, pipeline in pipelines(size).items()
        }


def _load_all(dataset: Any) -> None:
    random.seed(0)
    np.random.seed(0)
    for index in range(len(dataset)):
        dataset.prepare_data(index)


def _decode_all(files: list[bytes], flag: int) -> None:
    for content in files:
        cv2.imdecode(np.frombuffer(content, np.uint8), flag)


def _transform_pixels(files: list[bytes], size: int) -> None:
    random.seed(0)
    np.random.seed(0)
    for content in files:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        side = int(size * np.random.uniform(*RATIOS))
        image = mmcv.imrescale(image, (side, side))
        top, left = (np.random.randint(max(length - size, 0) + 1) for length in image.shape[:2])
        image = image[top : top + size, left : left + size]
        np.ascontiguousarray(image[:, ::-1] if np.random.random() < 0.5 else image)
