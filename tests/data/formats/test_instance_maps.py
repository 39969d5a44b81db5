"""Maps of instances as records: masks and boxes to the pixel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from effnet_dense.data import find_labels
from effnet_dense.data.drawn_labels import decode_mask
from effnet_dense.data.formats.detect import find_dataset
from effnet_dense.data.formats.found import FoundData
from tests.helpers.label_layouts import describe, image, save, with_palette

NUMBERS = np.zeros((12, 16), dtype=np.uint8)  # three objects, the second in two parts
NUMBERS[1:5, 1:4] = 1
NUMBERS[2:4, 6:8] = NUMBERS[7:9, 6:12] = 2
NUMBERS[9:12, 12:16] = 3
BOXES = {1: [1, 1, 3, 4], 2: [6, 2, 6, 7], 3: [12, 9, 4, 3]}


def penn_fudan(root: Path) -> Path:
    """PennFudanPed.zip, by its readme.txt: the i-th pedestrian has the value i."""
    inner = root / 'PennFudanPed'
    for name in ('FudanPed00001', 'PennPed00001'):
        image(inner / 'PNGImages' / f'{name}.png', NUMBERS)
        save(inner / 'PedMasks' / f'{name}_mask.png', NUMBERS)
        describe(inner / 'Annotation', '# Compatible with PASCAL', f'{name}.txt')
    return root


def cityscapes(root: Path) -> Path:
    """json2instanceImg.py: labelId × 1000 + number, the labelId alone for groups and stuff."""
    table = np.array([7, 26001, 24000, 26], dtype=np.uint16)  # road, a car, a person, cars
    for part, name in (('train', 'aachen_000000_000019'), ('val', 'lindau_000000_000019')):
        place = f'{part}/{name.split("_")[0]}/{name}'
        image(root / 'leftImg8bit' / f'{place}_leftImg8bit.png', NUMBERS)
        save(root / 'gtFine' / f'{place}_gtFine_instanceIds.png', table[NUMBERS])
        save(root / 'gtFine' / f'{place}_gtFine_labelIds.png', NUMBERS)
    return root


def voc(root: Path) -> Path:
    """SegmentationObject and SegmentationClass with a border of 255 (VOC2012 devkit, 2.3)."""
    classes, objects = np.array([0, 15, 7, 15], dtype=np.uint8)[NUMBERS], NUMBERS.copy()
    objects[0], classes[0] = 255, 255
    for name in ('2007_000032', '2007_000033'):
        image(root / 'JPEGImages' / f'{name}.jpg', NUMBERS)
        with_palette(root / 'SegmentationClass' / f'{name}.png', classes)
        with_palette(root / 'SegmentationObject' / f'{name}.png', objects)
    describe(root / 'ImageSets/Segmentation', '2007_000032\n', 'train.txt')
    describe(root / 'ImageSets/Segmentation', '2007_000033\n', 'val.txt')
    return root


def cvat(root: Path) -> Path:
    """CVAT's "Segmentation mask 1.1": both maps in colours, labelmap.txt."""
    colours = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]], dtype=np.uint8)
    describe(root, 'background:0,0,0::\ncar:250,50,83::\nbus:50,50,250::\n', 'labelmap.txt')
    of_class = np.array([[0, 0, 0], [250, 50, 83], [50, 50, 250], [250, 50, 83]], dtype=np.uint8)
    for name in ('a', 'b'):
        image(root / 'JPEGImages' / f'{name}.jpg', NUMBERS)
        save(root / 'SegmentationClass' / f'{name}.png', of_class[NUMBERS])
        save(root / 'SegmentationObject' / f'{name}.png', colours[NUMBERS])
    describe(root / 'ImageSets/Segmentation', 'a\nb\n', 'default.txt')
    return root


def stated(root: Path, classes: Any, values: np.ndarray) -> Path:
    describe(root, classes)
    for part in ('train', 'val'):
        image(root / 'images' / part / 'a.jpg', NUMBERS)
        save(root / 'labels' / part / 'a.png', values)
    return root


def objects(found: FoundData, part: str) -> list[dict[str, tuple[str, bool]]]:
    """Number of our map → class and crowd, for each image; masks and boxes are compared."""
    data = found.splits[part].data
    names = {category['id']: category['name'] for category in data['categories']}
    seen: dict[int, dict[str, Any]] = {entry['id']: {} for entry in data['images']}
    for entry in data['annotations']:
        mask = decode_mask(entry['segmentation'], 16, 12)
        (number,) = np.unique(NUMBERS[mask])
        np.testing.assert_array_equal(mask, number == NUMBERS)
        assert entry['bbox'] == BOXES[int(number)]
        seen[entry['image_id']][str(number)] = (names[entry['category_id']], bool(entry['iscrowd']))
    return list(seen.values())


PEDESTRIANS = {str(number): ('pedestrian', False) for number in (1, 2, 3)}


def test_penn_fudan(tmp_path: Path) -> None:
    found = find_dataset(penn_fudan(tmp_path / 'set'), tmp_path / 'work')
    assert found.format == 'Penn-Fudan' and list(found.splits) == ['all']
    assert objects(found, 'all') == [PEDESTRIANS, PEDESTRIANS]
    assert 'PennFudanPed' in found.remarks[0]


def test_cityscapes(tmp_path: Path) -> None:
    found = find_dataset(cityscapes(tmp_path / 'set'), tmp_path / 'work')
    expected = {'1': ('car', False), '2': ('person', False), '3': ('car', True)}
    assert objects(found, 'train') == objects(found, 'val') == [expected]
    assert [c['name'] for c in found.splits['val'].data['categories']][:2] == ['person', 'rider']


def test_voc(tmp_path: Path) -> None:
    found = find_dataset(voc(tmp_path / 'set'), tmp_path / 'work')
    expected = {'1': ('person', False), '2': ('car', False), '3': ('person', False)}
    assert objects(found, 'train') == objects(found, 'val') == [expected]


def test_cvat(tmp_path: Path) -> None:
    found = find_dataset(cvat(tmp_path / 'set'), tmp_path / 'work')
    expected = {'1': ('car', False), '2': ('bus', False), '3': ('car', False)}
    assert objects(found, 'all') == [expected, expected]
    assert [c['name'] for c in found.splits['all'].data['categories']] == ['car', 'bus']


@pytest.mark.parametrize(
    ('classes', 'values', 'names'),
    [
        ({'classes': ['cell'], 'instances': 'values'}, NUMBERS.astype(np.uint16) * 300, 'cell'),
        (
            {'classes': ['cell'], 'instances': 'colours'},
            np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]], dtype=np.uint8)[NUMBERS],
            'cell',
        ),
        (
            {'classes': ['ground', 'cell'], 'instances': 10},
            np.array([0, 11, 12, 17], dtype=np.uint8)[NUMBERS],
            'cell',
        ),
        (
            {'classes': ['cell'], 'first': 5, 'instances': 1000},
            np.array([7, 5001, 5002, 5017], dtype=np.uint16)[NUMBERS],
            'cell',
        ),
    ],
)
def test_stated_in_classes_json(
    classes: Any, values: np.ndarray, names: str, tmp_path: Path
) -> None:
    found = find_dataset(stated(tmp_path / 'set', classes, values), tmp_path / 'work')
    expected = {str(number): (names, False) for number in (1, 2, 3)}
    assert objects(found, 'train') == objects(found, 'val') == [expected]


@pytest.mark.parametrize(
    ('classes', 'words'),
    [
        ({'classes': ['a', 'b'], 'instances': 'values'}, 'which of 2 classes an object has'),
        ({'classes': ['a'], 'instances': 'ids'}, '"values", "colours" or a factor, got \'ids\''),
        ({'classes': ['a'], 'instances': True}, 'or a factor, got True'),
        ({'classes': [], 'instances': 'values'}, "'classes' must be a list of names"),
    ],
)
def test_faulty_statements(classes: Any, words: str, tmp_path: Path) -> None:
    root = stated(tmp_path / 'set', classes, NUMBERS)
    with pytest.raises(ValueError, match=words):
        find_dataset(root, tmp_path / 'work')


def test_a_broken_map_is_named(tmp_path: Path) -> None:
    root = stated(tmp_path / 'set', {'classes': ['a'], 'instances': 'values'}, NUMBERS)
    (root / 'labels/val/a.png').write_bytes(b'\x89PNG')
    with pytest.raises(ValueError, match=r'cannot read .*val/a\.png'):
        find_dataset(root, tmp_path / 'work')


def test_noise_is_no_map_of_instances(tmp_path: Path) -> None:
    noise = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    root = stated(tmp_path / 'set', {'classes': ['a'], 'instances': 'values'}, noise)
    with pytest.raises(
        ValueError, match=r'cannot read .*train/a\.png: it has 4095 objects in 4096'
    ):
        find_dataset(root, tmp_path / 'work')


def test_maps_of_two_sizes_are_named(tmp_path: Path) -> None:
    root = voc(tmp_path / 'set')
    path = root / 'SegmentationClass/2007_000033.png'
    with_palette(path, np.zeros((16, 12), dtype=np.uint8))
    with pytest.raises(ValueError, match='it is 16 × 12 pixels, the map of classes 12 × 16'):
        find_dataset(root, tmp_path / 'work')


def test_a_semantic_model_reads_the_classes(tmp_path: Path) -> None:
    """The same folder with an mmseg config: VOC's maps of classes."""
    source = find_labels(voc(tmp_path / 'set'))
    assert source.reports['val'].pixels[15] == int(np.isin(NUMBERS, (1, 3)).sum())


def test_images_of_label_maps_alone_are_no_dataset(tmp_path: Path) -> None:
    root = stated(tmp_path / 'set', {'classes': ['a', 'b']}, NUMBERS)
    with pytest.raises(FileNotFoundError, match='Label maps need an mmseg config'):
        find_dataset(root, tmp_path / 'work')
    assert json.loads((root / 'classes.json').read_text(encoding='utf-8'))
    assert Image.open(root / 'images/val/a.jpg').size == (16, 12)
