"""Draw what training sees: samples after their pipeline, with their annotations."""

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
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from effnet_dense.data.bands import decode_for_drawing, drawable
from effnet_dense.data.folders import SPLITS
from effnet_dense.data.seeding import sampler_of
from effnet_dense.data.statistics import count_config, object_table, training_size
from effnet_dense.engine.outputs import check_images, check_run
from effnet_dense.engine.resume.batches import set_epoch
from effnet_dense.engine.runner import Runner
from effnet_dense.evaluation.counts import counts_figure
from effnet_dense.evaluation.image_writing import write_image
from effnet_dense.evaluation.visualizer import build_visualizer
from effnet_dense.utils.config_errors import config_errors
from effnet_dense.utils.output_names import portable_name
from effnet_dense.utils.outputs import new_output
from effnet_dense.utils.progress import track

Image = NDArray[np.uint8]

SHEET = 'sheet.jpg'
OBJECTS = 'objects.png'

CELL = 320
"""Side in pixels of a contact sheet's cell."""

MARGIN = 2
"""Pixels around each image of a contact sheet."""


def browse(
    config: Config, out: str | Path, number: int = 20, epoch: int = 0, split: str = 'train'
) -> list[Path]:
    """Draw samples as a run would load them, with boxes, masks and label maps over their image.

    Args:
        config: From `load_config`; its visualizer draws.
        out: Folder for the drawings, 0000_NAME.jpg …, and sheet.jpg with all of them.
        number: Number of samples, from the epoch's beginning, in the order of a run on one GPU.
        epoch: Counted from 0; for an endless stream the pass over the data.
        split: 'train' or 'val'.

    Returns:
        Paths of the drawings; the contact sheet's is the last.

    Raises:
        FileExistsError: A drawing has the name of a file that the package did not write.
        ValueError: A wrong split, number or epoch, no such data loader, or `out` lies among the
            images.
    """
    if split not in SPLITS or number < 1 or epoch < 0:
        raise ValueError(
            f'expected a split of {SPLITS}, a number from 1 and an epoch from 0, '
            f'got {split!r}, {number} and {epoch}'
        )
    loader = build_loader(config, split)
    meta = getattr(loader.dataset, 'metainfo', None)
    visualizer = build_visualizer(config.get('visualizer') or {'type': 'DetLocalVisualizer'}, meta)
    indices = list(islice(epoch_indices(loader, epoch), number))
    _check_outputs(config, loader.dataset, Path(out), indices, split)
    paths = []
    for position, index in enumerate(track(indices, 'Drawing')):
        image, sample = to_drawable(loader.dataset[index], split)
        path = Path(out, _name(position, sample.img_path))
        with new_output(path, fsync=False) as partial:
            visualizer.add_datasample(
                'browse', image, sample, draw_pred=False, out_file=str(partial)
            )
        paths.append(path)
    sheet = Path(out, SHEET)
    write_image(sheet, contact_sheet([mmcv.imread(str(path)) for path in paths]))
    return [*paths, sheet]


def draw_objects(config: Config, out: str | Path, split: str) -> Path | None:
    """Draw and print how many objects each class has, by their size in the resized image.

    Args:
        config: From `load_config`.
        out: Folder for objects.png.
        split: 'train' or 'val'.

    Returns:
        The chart's path; None if the data are no COCO file, or too long a one.

    Raises:
        FileExistsError: There is a file of this name that the package did not write.
    """
    rows = count_config(config).get(split)
    if rows is None:
        return None
    size = training_size(config)
    title = f'{split}, resized to {size}' if size else f'{split}, not resized'
    print_log(f'objects of {title}:\n{object_table(rows)}')
    counts = np.array([row.by_size for row in rows], dtype=np.int64).reshape(-1, 4)
    path = Path(out, OBJECTS)
    with new_output(path, fsync=False) as partial:
        counts_figure([row.name for row in rows], counts, title).savefig(partial)
    return path


def _check_outputs(
    config: Config, dataset: Any, out: Path, indices: Sequence[int], split: str
) -> None:
    infos = [dataset.get_data_info(index) for index in indices]
    names = [_name(position, info['img_path']) for position, info in enumerate(infos)]
    check_run(config, [split], [out])
    check_images([out / name for name in (*names, SHEET, OBJECTS)], dataset)


def _name(position: int, image: str) -> str:
    return portable_name(f'{position:04d}_{Path(image).stem}.jpg')


def build_loader(config: Config, split: str) -> DataLoader:
    """Build the config's data loader as its run does, but without workers."""
    name = f'{split}_dataloader'
    if not config.get(name):
        raise ValueError(f'the config has no {name}')
    init_default_scope(config.get('default_scope', 'mmdet'))
    changes: dict[str, Any] = dict(num_workers=0, persistent_workers=False)
    changes |= dict.fromkeys(('prefetch_factor', 'multiprocessing_context'))
    seed = config.get('randomness', {}).get('seed') or 0
    with config_errors(name):
        return Runner.build_dataloader({**config[name], **changes}, seed=seed)


def epoch_indices(loader: DataLoader, epoch: int) -> Iterator[int]:
    """Yield the indices of an epoch in the sampler's order."""
    sampler = sampler_of(loader)
    if isinstance(sampler, InfiniteSampler):
        return islice(sampler, epoch * sampler.size, (epoch + 1) * sampler.size)
    set_epoch(loader, epoch)
    return iter(sampler)


def to_drawable(packed: dict[str, Any], split: str) -> tuple[Image, Any]:
    """Convert a packed sample to its image (H, W, 3) in RGB, and its annotation for drawing.

    Annotations of validation samples refer to the original image, which is read from its file.
    """
    sample = packed['data_samples']
    if split == 'val':
        image = decode_for_drawing(fileio.get(sample.img_path))
    else:
        pixels = packed['inputs'].numpy().transpose(1, 2, 0)
        image = np.ascontiguousarray(drawable(pixels)[..., ::-1]).clip(0, 255).astype(np.uint8)
    boxes = sample.gt_instances.get('bboxes') if 'gt_instances' in sample else None
    if isinstance(boxes, BaseBoxes):
        sample.gt_instances.bboxes = boxes.convert_to('hbox').tensor
    return image, sample


def contact_sheet(images: Sequence[Image], cell: int = CELL) -> Image:
    """Arrange images in rows, each scaled to fit a square of `cell` pixels."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    sheet = np.full((rows * cell, columns * cell, 3), 255, np.uint8)
    for number, image in enumerate(images):
        factor = (cell - 2 * MARGIN) / max(image.shape[:2])
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        y, x = number // columns * cell + MARGIN, number % columns * cell + MARGIN
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
    return sheet
