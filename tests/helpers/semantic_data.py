"""ADE20K, Cityscapes and Pascal VOC with a few small images, in each dataset's own layout.

Label maps are class indices (H, W), 255 for pixels that are not evaluated; each writer converts
them to its dataset's encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 64, 96
IGNORED = 255
# Cityscapes' labelIds of the train ids 0…18 (cityscapesScripts, helpers/labels.py); 4 is 'static'.
CITYSCAPES_IDS = [7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33]
STATIC = 4

Labels = Iterable[np.ndarray]


def blocks(classes: int, seed: int, size: int = 16) -> np.ndarray:
    """A label map of random squares, one in eight of them ignored."""
    draw = np.random.default_rng(seed)
    cells = draw.integers(0, classes, (HEIGHT // size, WIDTH // size), dtype=np.uint8)
    cells[draw.random(cells.shape) < 1 / 8] = IGNORED
    return np.kron(cells, np.ones((size, size), dtype=np.uint8))


def quarters() -> np.ndarray:
    """Four columns of equal width: ignored, then classes 0, 1 and 2."""
    return np.repeat(np.array([[IGNORED, 0, 1, 2]], dtype=np.uint8), HEIGHT, 0).repeat(
        WIDTH // 4, 1
    )


def grey_image(labels: np.ndarray) -> np.ndarray:
    """A grey image (H, W, 3) whose brightness follows the classes."""
    return np.repeat(labels[..., None] // 2 + 60, 3, 2)


def write_ade20k(root: Path, train: Labels, val: Labels) -> None:
    """Annotations: 0 for no class, then 1…150."""
    for part, maps in (('training', train), ('validation', val)):
        for number, labels in enumerate(maps, 1):
            name = f'ADE_{"train" if part == "training" else "val"}_{number:08d}'
            _write(root / 'images' / part / f'{name}.jpg', grey_image(labels))
            raw = np.where(labels == IGNORED, 0, labels + 1).astype(np.uint8)
            _write(root / 'annotations' / part / f'{name}.png', raw)


def write_cityscapes(root: Path, train: Labels, val: Labels) -> None:
    """Train ids 0…18 and 255, next to the labelIds that must not be mistaken for them."""
    ids = np.full(256, STATIC, dtype=np.uint8)
    ids[: len(CITYSCAPES_IDS)] = CITYSCAPES_IDS
    for part, city, maps in (('train', 'aachen', train), ('val', 'lindau', val)):
        for number, labels in enumerate(maps):
            name = f'{city}_{number:06d}_000019'
            _write(
                root / 'leftImg8bit' / part / city / f'{name}_leftImg8bit.png', grey_image(labels)
            )
            fine = root / 'gtFine' / part / city
            _write(fine / f'{name}_gtFine_labelTrainIds.png', labels)
            _write(fine / f'{name}_gtFine_labelIds.png', ids[labels])


def write_voc(root: Path, train: Labels, val: Labels) -> None:
    """Label maps with a palette; the last training image has its plain map in SBD's folder."""
    *own, last = train
    names: dict[str, list[str]] = {'train': [], 'aug': [], 'val': []}
    for split, maps in (('train', own), ('aug', [last]), ('val', val)):
        for number, labels in enumerate(maps):
            name = f'2007_{len(names["train"]) * 100 + number + 32:06d}_{split}'
            names[split].append(name)
            _write(root / 'JPEGImages' / f'{name}.jpg', grey_image(labels))
            if split == 'aug':
                _write(root / 'SegmentationClassAug' / f'{name}.png', labels)
            else:
                _write_palette(root / 'SegmentationClass' / f'{name}.png', labels)
    for split, lines in names.items():
        path = root / 'ImageSets' / 'Segmentation' / f'{split}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


WRITERS: dict[str, Callable[[Path, Labels, Labels], None]] = {
    'ADE20KDataset': write_ade20k,
    'CityscapesDataset': write_cityscapes,
    'PascalVOCDataset': write_voc,
}


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), pixels):
        raise OSError(f'cannot write {path}')


def _write_palette(path: Path, labels: np.ndarray) -> None:
    """As the VOC devkit's: colour i has the bits of i spread over red, green and blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels, mode='P')
    image.putpalette([value for index in range(256) for value in voc_colour(index)])
    image.save(path)


def voc_colour(index: int) -> tuple[int, int, int]:
    """Red, green and blue of a class (VOCdevkit's VOClabelcolormap.m); 255 is (224, 224, 192)."""
    red = green = blue = 0
    for bit in range(7, -1, -1):
        red |= (index & 1) << bit
        green |= (index >> 1 & 1) << bit
        blue |= (index >> 2 & 1) << bit
        index >>= 3
    return red, green, blue
