"""A hand-made folder of label maps, small enough to be changed by each test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

CLASSES = ('sky', 'road', 'car')
HEIGHT, WIDTH = 6, 8


def label(*values: int) -> np.ndarray:
    """A label map (6, 8) of equally wide upright stripes, one for each value."""
    return np.tile(np.repeat(values, WIDTH // len(values)), (HEIGHT, 1)).astype(np.uint8)


def write_label(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def write_image(path: Path, height: int = HEIGHT, width: int = WIDTH) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


def write_pair(root: Path, split: str, image: str, values: np.ndarray) -> None:
    """An image, and the label map of the same stem."""
    write_image(root / 'images' / split / image)
    write_label(root / 'labels' / split / f'{Path(image).stem}.png', values)


def write_classes(root: Path, content: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    path = root / 'classes.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding='utf-8')
    return path


def write_folder(root: Path) -> Path:
    """Train: a.jpg with sky and road, b.PNG with car and ignored pixels; val: c.jpg with all."""
    write_classes(root, {'classes': CLASSES, 'ignore': 9})
    write_pair(root, 'train', 'a.jpg', label(0, 1))
    write_pair(root, 'train', 'b.PNG', label(2, 2, 2, 9))
    write_pair(root, 'val', 'c.jpg', label(0, 1, 2, 9))
    return root
