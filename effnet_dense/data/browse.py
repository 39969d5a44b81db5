"""Pictures of what a training sees: samples behind their pipeline, with what they are taught."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
from mmdet.structures.bbox import BaseBoxes
from mmengine import fileio
from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from mmengine.registry import VISUALIZERS, init_default_scope
from numpy.typing import NDArray
from rich.progress import track
from torch.utils.data import DataLoader

Picture = NDArray[np.uint8]
SPLITS = ('train', 'val')
CELL = 320  # pixels, of the contact sheet


def browse(
    config: Config, out: str | Path, number: int = 20, epoch: int = 0, split: str = 'train'
) -> list[Path]:
    """Draw samples as a run makes them, boxes, masks and label maps over their image.

    Args:
        config: From `load_config`; its visualizer draws.
        out: Folder for the pictures, 0000_NAME.jpg …, and sheet.jpg with all of them.
        number: How many, from the epoch's beginning, in the order of a run on one GPU.
        epoch: Which, from 0; of an endless stream the pass over the data.
        split: 'train' or 'val'.

    Returns:
        The pictures' paths; the contact sheet's last.

    Raises:
        ValueError: nothing to draw: a wrong split, number or epoch, or no such data loader.
    """
    if split not in SPLITS or number < 1 or epoch < 0:
        raise ValueError(
            f'expected a split of {SPLITS}, a number from 1 and an epoch from 0, '
            f'got {split!r}, {number} and {epoch}'
        )
    loader = build_loader(config, split)
    visualizer = _visualizer(config, getattr(loader.dataset, 'metainfo', None))
    order = list(islice(order_of(loader, epoch), number))
    paths = []
    for position, index in enumerate(track(order, 'Drawing')):
        image, sample = picture_of(loader.dataset[index], split)
        path = Path(out, f'{position:04d}_{Path(sample.img_path).stem}.jpg')
        visualizer.add_datasample('browse', image, sample, draw_pred=False, out_file=str(path))
        paths.append(path)
    sheet = Path(out, 'sheet.jpg')
    mmcv.imwrite(contact_sheet([mmcv.imread(str(path)) for path in paths]), str(sheet))
    return [*paths, sheet]


def build_loader(config: Config, split: str) -> DataLoader:
    """The config's data loader as its run builds it, without workers."""
    # The runner imports the data's modules.
    from effnet_dense.engine.runner import Runner, built_from

    name = f'{split}_dataloader'
    if not config.get(name):
        raise ValueError(f'the config has no {name}')
    init_default_scope(config.get('default_scope', 'mmdet'))
    changes: dict[str, Any] = dict(num_workers=0, persistent_workers=False)
    changes |= dict.fromkeys(('prefetch_factor', 'multiprocessing_context'))
    seed = config.get('randomness', {}).get('seed') or 0
    with built_from(name):
        return Runner.build_dataloader({**config[name], **changes}, seed=seed)


def order_of(loader: DataLoader, epoch: int) -> Iterator[int]:
    """The indices of an epoch, as the sampler gives them."""
    sampler: Any = getattr(loader.batch_sampler, 'sampler', loader.sampler)
    if isinstance(sampler, InfiniteSampler):
        return islice(sampler, epoch * sampler.size, (epoch + 1) * sampler.size)
    if hasattr(sampler, 'set_epoch'):
        sampler.set_epoch(epoch)
    return iter(sampler)


def picture_of(packed: dict[str, Any], split: str) -> tuple[Picture, Any]:
    """A packed sample's image (H, W, 3) in RGB, and its annotation in numbers for drawing.

    Annotations for testing are of the picture as it is on the disk, which is drawn then.
    """
    sample = packed['data_samples']
    if split == 'val':
        image = mmcv.imfrombytes(fileio.get(sample.img_path), channel_order='rgb')
    else:
        pixels = packed['inputs'].numpy().transpose(1, 2, 0)
        image = np.ascontiguousarray(pixels[..., ::-1]).clip(0, 255).astype(np.uint8)
    boxes = sample.gt_instances.get('bboxes') if 'gt_instances' in sample else None
    if isinstance(boxes, BaseBoxes):
        sample.gt_instances.bboxes = boxes.convert_to('hbox').tensor
    return image, sample


def contact_sheet(pictures: Sequence[Picture], cell: int = CELL) -> Picture:
    """All pictures in rows, each within a square of `cell` pixels."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    sheet = np.full((rows * cell, columns * cell, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        factor = (cell - 4) / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        y, x = number // columns * cell + 2, number % columns * cell + 2
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
    return sheet


def _visualizer(config: Config, dataset_meta: Any) -> Any:
    """The config's, which keeps nothing."""
    given = {**config.get('visualizer', {'type': 'DetLocalVisualizer'})}
    made = VISUALIZERS.build({**given, 'name': 'browse', 'vis_backends': None})
    made.dataset_meta = dataset_meta
    return made
