"""A thousand records, however they were made, take a bounded amount of work."""

from __future__ import annotations

import cProfile
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from effnet_dense.data.coco.folder import find_coco
from effnet_dense.data.masks import MAX_PERIMETER
from tests.helpers.coco_folder import tiny_coco, write_folder
from tests.helpers.export_source import Part
from tests.helpers.exports import EXPORTS
from tests.helpers.label_layouts import describe, image, save

RECORDS = 1000
WIDTH, HEIGHT = 1600, 1200
RASTERISED = 'pycocotools.mask.frPyObjects'
Make = Callable[[int, random.Random], Any]


def zigzag(length: float) -> list[list[float]]:
    """A polygon across the image and its margin, with outlines of a length in pixels."""
    points = max(3, int(length / (3 * WIDTH)))
    x = np.where(np.arange(points) % 2, -WIDTH, 2 * WIDTH)
    y = np.linspace(-HEIGHT, 2 * HEIGHT, points)
    return [np.stack([x, y], axis=1).ravel().tolist()]


LONGEST = zigzag(0.9 * MAX_PERIMETER)
BEYOND = zigzag(1.5 * MAX_PERIMETER)[0]
MASKS: dict[str, Make] = {
    'longest outlines': lambda i, draw: LONGEST,
    'outlines beyond the limit': lambda i, draw: [BEYOND],
}
SHORT: dict[str, Make] = {
    'hundreds of polygons': lambda i, draw: [[0, 0, 9, 0, 9, 9]] * 100,
    'far coordinates': lambda i, draw: [[0, 0, 2e8, 0, 2e8, 2e8]],
    'empty runs': lambda i, draw: {
        'size': [HEIGHT, WIDTH],
        'counts': [0] * 3000 + [WIDTH * HEIGHT],
    },
    'runs of one pixel': lambda i, draw: {
        'size': [HEIGHT, WIDTH],
        'counts': [1] * 3000 + [WIDTH * HEIGHT - 3000],
    },
    'long text': lambda i, draw: {'size': [HEIGHT, WIDTH], 'counts': 'o' * 5000},
    'nested lists': lambda i, draw: json.loads('[' * 90 + ']' * 90),
}


def dataset(mask: Make, root: Path, records: int | None = None) -> Path:
    """A thousand annotations that need an area and an id; val is sound."""
    data, draw = tiny_coco(), random.Random(0)
    data['images'][0] |= {'width': WIDTH, 'height': HEIGHT}
    data['annotations'] = [
        {'image_id': 12, 'category_id': 7, 'bbox': [4, 4, 9, 9], 'segmentation': mask(i, draw)}
        for i in range(records or RECORDS)
    ]
    write_folder(root, train=data)
    cv2.imwrite(str(root / 'images/train/a.png'), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return root


def check(root: Path, run: Path) -> str:
    try:
        return find_coco(root, masks=('train', 'val'), scratch=run).summary()
    except (ValueError, FileNotFoundError) as error:
        return str(error)


@pytest.mark.parametrize('name', ['longest outlines', 'outlines beyond the limit'])
def test_long_outlines_are_not_rasterised(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand of the longest ones would take six minutes."""
    monkeypatch.setattr('tests.adversaries.test_records_work.RECORDS', 20)
    drawn: list[Any] = []
    monkeypatch.setattr(RASTERISED, lambda polygons, *size: drawn.append(polygons))
    root = dataset(MASKS[name], tmp_path / 'set')
    data = json.loads((root / 'annotations' / 'train.json').read_text(encoding='utf-8'))
    for entry in data['annotations'][:10]:
        del entry['bbox']
    (root / 'annotations' / 'train.json').write_text(json.dumps(data), encoding='utf-8')
    said = check(root, tmp_path / 'run')
    assert not drawn
    if name == 'longest outlines':
        assert "10 × annotation without a usable 'bbox', which is its mask's" in said
        assert "20 × annotation without a positive 'area', which is its box's" in said
    else:
        assert 'more than 4000000' in said


FEW, MANY = 10, 60
"""Images, or records, of the two datasets whose work is compared."""

GROWTH = 1.1
"""More work for a record of the larger dataset than for one of the smaller; a loop over all others
for each record would have several times as much."""


def work(root: Path, run: Path) -> int:
    """Count the calls that the check takes, of functions and built-ins."""
    profile = cProfile.Profile()
    assert profile.runcall(check, root, run)
    return sum(entry.callcount for entry in profile.getstats())


def is_linear(write: Callable[[Path, int], Path], folder: Path) -> None:
    """Assert that the work for many records is that for few, as often as there are more."""
    few, many = (write(folder / f'{count}', count) for count in (FEW, MANY))
    check(few, folder / 'run')  # what is imported or computed once
    assert work(many, folder / 'run') <= GROWTH * MANY / FEW * work(few, folder / 'run')


@pytest.mark.parametrize('name', SHORT)
def test_work_for_masks(name: str, tmp_path: Path) -> None:
    is_linear(lambda root, count: dataset(SHORT[name], root, count), tmp_path)


@pytest.fixture(scope='module')
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Different images, called photo 000.png and so on."""
    folder, draw = tmp_path_factory.mktemp('images'), np.random.default_rng(0)
    for i in range(MANY):
        pixels = draw.integers(0, 99, (64, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'photo {i:03d}.png'), pixels)
    return folder


def part(folder: Path, first: int, last: int) -> Part:
    """Two objects in each image."""
    images = [
        {'id': i + 1, 'file_name': f'photo {i:03d}.png', 'width': 64, 'height': 64}
        for i in range(first, last)
    ]
    annotations = [
        {
            **{'id': 2 * i + k + 1, 'image_id': i + 1, 'category_id': k + 1, 'iscrowd': 0},
            **{'bbox': [k + 3, 4, 20, 20], 'area': 400},
            'segmentation': [[k + 3, 4, k + 23, 4, k + 23, 24, k + 13, 14, k + 3, 24]],
        }
        for i in range(first, last)
        for k in range(2)
    ]
    categories = [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'ant'}]
    return Part(dict(images=images, annotations=annotations, categories=categories), folder)


def _coco_forms(text: str) -> str:
    """Ids and boxes as text, other names, and nothing that can be derived."""
    data = json.loads(text)
    for entry in data['images']:
        entry |= {'id': str(entry['id']), 'file_name': _elsewhere(entry['file_name'])}
        del entry['width']
    for entry in data['annotations']:
        entry |= {
            'id': 0,
            'image_id': str(entry['image_id']),
            'bbox': list(map(str, entry['bbox'])),
        }
        del entry['area'], entry['iscrowd']
    return json.dumps(data)


def _coco_faults(text: str) -> str:
    """Images that are missing, and one fault in each annotation."""
    data = json.loads(text)
    for entry in data['images'][1:]:
        entry['file_name'] = entry['file_name'].replace('photo', 'picture')
    for i, entry in enumerate(data['annotations']):
        faults: list[dict[str, Any]] = [
            *({'bbox': [1e308] * 4}, {'category_id': f'class {i}'}, {'image_id': f'image {i}'}),
            *({'bbox': [-99, -99, 1, 1]}, {'segmentation': [[i]]}, {'id': 7}),
        ]
        entry |= faults[i % len(faults)]
    return json.dumps(data)


def _labelme_forms(text: str) -> str:
    data = json.loads(text)
    data |= {'imagePath': _elsewhere(data['imagePath']), 'imageWidth': None, 'imageHeight': None}
    data['shapes'] = [{**shape, 'group_id': 1} for shape in data['shapes']]
    return json.dumps(data)


def _elsewhere(name: str) -> str:
    """The name that an image had on another computer, in another format."""
    return 'C:\\data\\' + name.upper().replace('.PNG', '.JPG').replace(' ', '%20')


def _renamed(pattern: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, lambda match: _elsewhere(match[0]), text)


def _many_classes(pattern: str) -> Callable[[str], str]:
    """Give each object a class of its own."""

    def change(text: str) -> str:
        found = iter(range(text.count('\n') * 9 + 9))
        return re.sub(pattern, lambda match: f'{match[0]} {hash(text) % 99999} {next(found)}', text)

    return change


NAME = r'photo \d+\.png'
EDITS: dict[str, dict[str, Callable[[str], str]]] = {
    'COCO 2017': {'*.json': _coco_forms},
    'COCO at the root': {'*.json': _coco_faults},
    'Roboflow COCO': {'*.json': _coco_faults},
    'YOLO': {'*.txt': lambda text: '\ufeff' + text.replace('\n', '  \r\n') + '\n'},
    'labelImg YOLO': {'photo*.txt': lambda text: re.sub(r'(?m)(?<=^\d 0)\.', '9.', text)},
    'Roboflow YOLO': {'*.txt': lambda text: re.sub(r'(?m)^\d', '77', text)},
    'VOC devkit': {'*.xml': _renamed(NAME)},
    'labelImg VOC': {'*.xml': _many_classes(r'(?<=<name>)\w+')},
    'CVAT XML': {'*.xml': _renamed(NAME)},
    'CVAT XML task': {'*.xml': _many_classes(r'(?<=label=")\w+')},
    'labelme parts': {'*.json': _labelme_forms},
    'labelme': {'*.json': _many_classes(r'(?<="label": ")\w+')},
    'Roboflow CSV': {'*.csv': _renamed(NAME)},
    'CSV with parts': {'*.csv': _many_classes(r'(?<![a-z])(cat|ant)')},
}
"""Export → what is done to its files: forms that are repaired, or a fault in each record."""


@pytest.mark.parametrize('faulty', [False, True])
@pytest.mark.parametrize('name', EDITS)
def test_work_for_formats(name: str, faulty: bool, images: Path, tmp_path: Path) -> None:
    def write(root: Path, count: int) -> Path:
        parts = {'train': part(images, 0, count * 4 // 5)}
        parts['val'] = part(images, count * 4 // 5, count)
        EXPORTS[name].write(root, parts, bool(EXPORTS[name].masks))
        for pattern, change in EDITS[name].items() if faulty else ():
            for path in root.rglob(pattern):
                path.write_text(change(path.read_text(encoding='utf-8-sig')), encoding='utf-8')
        return root

    is_linear(write, tmp_path)


def test_work_for_maps_of_instances(tmp_path: Path) -> None:
    def write(root: Path, count: int) -> Path:
        describe(root, {'classes': ['cell'], 'instances': 'values'})
        draw = np.random.default_rng(0)
        for i in range(count):
            name = f'{"val" if i % 5 == 0 else "train"}/{i}'
            cells = np.kron(draw.permutation(16).reshape(4, 4), np.ones((8, 8))).astype(np.uint8)
            image(root / 'images' / f'{name}.jpg', cells)
            save(root / 'labels' / f'{name}.png', cells)
        return root

    is_linear(write, tmp_path)


HOSTILE: dict[str, Callable[[dict[str, Any], int], None]] = {
    'images that are missing': lambda data, count: data['images'].extend(
        {'id': 100 + i, 'file_name': f'{"x" * 200}{i}.png', 'width': 9, 'height': 9}
        for i in range(count)
    ),
    'one image many times': lambda data, count: data['images'].extend([data['images'][0]] * count),
    'many classes': lambda data, count: data['categories'].extend(
        {'id': 100 + i, 'name': f'{"class" * 20}{i}'} for i in range(count)
    ),
    'ids of text': lambda data, count: data['annotations'].extend(
        dict(data['annotations'][0], id='7' * 300 + str(i), image_id='a.png' * 60)
        for i in range(count)
    ),
    'huge values': lambda data, count: data['annotations'].extend(
        dict(data['annotations'][0], id=i, bbox=[10**300] * 4, area='9' * 10_000)
        for i in range(count)
    ),
    'the same box': lambda data, count: data['annotations'].extend(
        dict(data['annotations'][0], id=100 + i) for i in range(count)
    ),
}


@pytest.mark.parametrize('name', HOSTILE)
def test_work_for_hostile_records(name: str, tmp_path: Path) -> None:
    def write(root: Path, count: int) -> Path:
        data = tiny_coco()
        HOSTILE[name](data, count)
        return write_folder(root, train=data)

    is_linear(write, tmp_path)
