"""Generate the demo dataset from a seed, without a download: images of shapes in clutter.

Classes differ in shape only: colour, texture, size, slant and rotation are random, the background
is cluttered with strokes and with blobs of the same textures, and objects occlude each other.
The folder serves detection, instance and semantic segmentation:

    annotations/{train,val}.json   COCO instances: boxes around the visible pixels, RLE masks
    images/{train,val}/*.jpg
    labels/{train,val}/*.png       a class index per pixel, 0 is background
    classes.json                   {"classes": [names], "ignore": 255}, names of the label maps
    demo.json                      seed, counts and version that the folder was made with

Shapes: H × W pixels of an image, colours are BGR in 0–255.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as mask_api

from effnet_dense.data.demo.scenes import SHAPES, Scene, draw_scene

VERSION = 1
"""Increase it whenever the images or annotations of a given seed change."""

IGNORE = 255
MARK = 'demo.json'
FILES = (MARK, 'classes.json', 'annotations/train.json', 'annotations/val.json')
DRAWN = re.compile(
    r'(?:images|labels)/(?P<split>train|val)/(?P=split)_(?P<index>\d{4,})\.(?:jpg|png)'
)


@dataclass(frozen=True)
class DemoRecipe:
    """Everything that the content of a demo folder depends on."""

    seed: int = 0
    train: int = 200
    val: int = 50
    version: int = VERSION


def make_demo(folder: str | Path, seed: int = 0, train: int = 200, val: int = 50) -> Path:
    """Draw the demo dataset into a folder, unless it exists already.

    The folder appears complete or not at all: it is written under a temporary
    name next to it and then renamed.
    Several processes may call this at once.

    Args:
        folder: Replaced if it holds a demo of another seed, size or version, and nothing else.
        seed: The same seed gives the same annotations and pixels.
        train: Number of training images.
        val: Number of validation images.

    Returns:
        The folder.

    Raises:
        FileExistsError: The folder holds something else, which stays.
        ValueError: A number of images below 1, or a negative seed.
    """
    if min(train, val) < 1 or seed < 0:
        raise ValueError(
            f'expected seed ≥ 0 and at least one image each in train and val, got seed {seed}, '
            f'{train} and {val}'
        )
    target, recipe = Path(folder), DemoRecipe(seed, train, val)
    if _is_made(target, recipe):
        return target
    _check_replaceable(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f'.{target.name}-') as temporary:
        drawn = Path(temporary) / 'new'
        _write(drawn, recipe)
        _replace(target, drawn, recipe)
    return target


def _check_replaceable(target: Path) -> None:
    foreign = _foreign_files(target)
    if foreign:
        raise FileExistsError(
            f'expected {target} to be missing or empty, to write the demo dataset; '
            f'{foreign[0]} is not of an earlier one'
        )


def _foreign_files(target: Path) -> list[Path]:
    """List what is not of a demo dataset: all, unless the folder's recipe can be read."""
    if target.is_symlink() or not target.is_dir():
        return [target] if os.path.lexists(target) else []
    recipe = _recipe(target)
    found = {
        path.relative_to(target).as_posix(): path
        for path in target.rglob('*')
        if path.is_symlink() or not path.is_dir()
    }
    return [path for name, path in found.items() if recipe is None or not _is_of(recipe, name)]


def _is_of(recipe: DemoRecipe, name: str) -> bool:
    """Whether a demo dataset has a file of this name."""
    drawn = DRAWN.fullmatch(name)
    if drawn is None:
        return name in FILES
    return int(drawn['index']) < (recipe.train if drawn['split'] == 'train' else recipe.val)


def _recipe(folder: Path) -> DemoRecipe | None:
    try:
        content = json.loads((folder / MARK).read_text(encoding='utf-8'))
        recipe = DemoRecipe(**content)
    except (OSError, ValueError, TypeError):
        return None
    whole = content.keys() == asdict(recipe).keys()
    return recipe if whole and all(type(value) is int for value in content.values()) else None


def _is_made(folder: Path, recipe: DemoRecipe) -> bool:
    return _recipe(folder) == recipe


def _replace(target: Path, drawn: Path, recipe: DemoRecipe) -> None:
    if _is_made(target, recipe):  # another process was faster
        return
    if target.exists():
        _check_replaceable(target)
        os.rename(target, drawn.with_name('old'))
    try:
        os.rename(drawn, target)
    except OSError:
        if not _is_made(target, recipe):
            raise


def _write(folder: Path, recipe: DemoRecipe) -> None:
    for split, count in (('train', recipe.train), ('val', recipe.val)):
        _write_split(folder, split, count, recipe.seed)
    _dump({'classes': ['background', *SHAPES], 'ignore': IGNORE}, folder / 'classes.json')
    _dump(asdict(recipe), folder / MARK)


def _write_split(folder: Path, split: str, count: int, seed: int) -> None:
    for kind in ('images', 'labels'):
        (folder / kind / split).mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(count):
        rng = np.random.default_rng([seed, split == 'val', index])
        scene = draw_scene(rng)
        stem = f'{split}_{index:04d}'
        quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
        _save(folder / 'images' / split / f'{stem}.jpg', scene.image, quality)
        _save(folder / 'labels' / split / f'{stem}.png', scene.label_map(), [])
        height, width = scene.owner.shape
        image = {'id': index + 1, 'file_name': f'{stem}.jpg', 'width': width, 'height': height}
        images.append(image)
        for record in _records(scene, image_id=index + 1):
            annotations.append({'id': len(annotations) + 1, **record})
    categories = [{'id': i + 1, 'name': name} for i, name in enumerate(SHAPES)]
    content = {'images': images, 'annotations': annotations, 'categories': categories}
    _dump(content, folder / 'annotations' / f'{split}.json')


def _records(scene: Scene, image_id: int) -> list[dict[str, Any]]:
    """Make COCO annotations of a scene's objects, without ids."""
    records = []
    for number, label in enumerate(scene.labels):
        visible = scene.owner == number
        code = mask_api.encode(np.asfortranarray(visible, dtype=np.uint8))
        record = {
            'image_id': image_id,
            'category_id': label + 1,
            'bbox': mask_api.toBbox(code).tolist(),
            'area': int(visible.sum()),
            'iscrowd': 0,
            'segmentation': {'size': code['size'], 'counts': code['counts'].decode('ascii')},
        }
        records.append(record)
    return records


def _save(path: Path, image: np.ndarray, options: list[int]) -> None:
    written, content = cv2.imencode(path.suffix, image, options)
    if not written:
        raise OSError(f'could not write {path}')
    path.write_bytes(content.data)


def _dump(content: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding='utf-8')
