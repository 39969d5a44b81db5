"""Each fault, put by hand into a sound folder, must be found, counted and named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from effnet_dense.data import LabelClasses, LabelReport, LabelSplit, check_labels
from effnet_dense.data.findings import Finding
from effnet_dense.engine.config import load_config
from tests.helpers.label_folder import CLASSES, label, write_folder, write_image, write_label
from tests.helpers.tiny_models import SEGMENTOR


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_folder(tmp_path / 'set')


def check(
    root: Path, split: str = 'train', ignore: int | None = 9, upright: bool = True
) -> LabelReport:
    places = LabelSplit(root / 'images' / split, root / 'labels' / split, upright=upright)
    return check_labels(places, LabelClasses(CLASSES, ignore))


def only(report: LabelReport) -> Finding:
    (finding,) = report.findings
    return finding


def test_sound_folder(root: Path) -> None:
    report = check(root)
    assert report.findings == ()
    assert report.images == 2
    assert report.pixels == (24, 24, 36)  # of two maps of 6 × 8
    assert report.ignored == 12
    assert str(report).splitlines() == [
        f'{root}/images/train: 2 images with label maps, 3 classes',
        '  pixels: sky 24 (25.0%), road 24 (25.0%), car 36 (37.5%), ignored 12 (12.5%)',
    ]


def test_image_without_a_label_map(root: Path) -> None:
    write_image(root / 'images/train/new.jpg')
    finding = only(check(root))
    assert (finding.severity, finding.count, finding.missing_files) == ('error', 1, True)
    assert finding.examples == ('new.jpg',)


def test_label_map_without_an_image(root: Path) -> None:
    write_label(root / 'labels/train/old.png', label(0, 77))  # not read, since not used
    finding = only(check(root))
    assert (finding.severity, finding.examples) == ('warning', ('old.png',))
    assert 'label map without an image' in finding.what


def test_values_outside_of_the_classes(root: Path) -> None:
    values = label(0, 1, 2, 9)
    values[0, :3] = 3
    values[5, 0] = 255
    for name in ('c', 'd', 'e', 'f'):
        write_image(root / f'images/train/{name}.jpg')
        write_label(root / f'labels/train/{name}.png', values)
    finding = only(check(root))
    assert (finding.severity, finding.count) == ('error', 2)
    assert finding.what == 'value outside the classes (0 to 2; 9 is ignored)'
    assert finding.examples == (
        '3 (12 pixels in 4 files: c.png, d.png, e.png, …)',
        '255 (4 pixels in 4 files: c.png, d.png, e.png, …)',
    )


def test_a_missing_ignore_is_guessed(root: Path) -> None:
    write_label(root / 'labels/train/b.png', label(0, 2, 1, 255))
    finding = only(check(root, ignore=None))
    assert 'no value is ignored' in finding.what
    assert finding.what.endswith('is "ignore": 255 missing in classes.json?')


def test_class_that_never_occurs(root: Path) -> None:
    write_label(root / 'labels/train/b.png', label(0, 9))
    finding = only(check(root))
    assert (finding.severity, finding.examples) == ('note', ('car',))
    (finding,) = check_labels(
        LabelSplit(root / 'images/train', root / 'labels/train'),
        LabelClasses(CLASSES, 9),
        training=True,
    ).findings
    assert (finding.severity, finding.examples) == ('warning', ('car',))


def test_sizes(root: Path) -> None:
    write_image(root / 'images/train/a.jpg', height=8, width=6)
    finding = only(check(root))
    assert (finding.severity, finding.count) == ('error', 1)
    assert finding.examples == ('a.png is 8 × 6, the image 6 × 8',)


def test_sizes_of_a_image_that_exif_turns(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(np.full((8, 6, 3), 90, np.uint8))  # displayed 8 wide and 6 high
    image.save(root / 'images/train/a.jpg', exif=exif)
    assert cv2.imread(str(root / 'images/train/a.jpg')).shape[:2] == (6, 8)
    assert check(root).findings == ()
    finding = only(check(root, upright=False))  # color_type='color_ignore_orientation'
    assert 'a.png is 8 × 6, the image 6 × 8: swapped by its EXIF' in finding.examples[0]
    assert 'color_type' in finding.examples[0]
    write_label(root / 'labels/train/a.png', label(0, 1).T)
    assert check(root, upright=False).findings == ()


def test_the_configs_color_type_is_checked_with(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(np.full((6, 8, 3), 90, np.uint8))
    image.save(root / 'images/train/a.jpg', exif=exif)
    key = 'train_dataloader.dataset.pipeline.0.color_type'
    load_config(SEGMENTOR, root, {key: 'color_ignore_orientation'})
    with pytest.raises(ValueError, match=r'a\.png is 8 × 6, the image 6 × 8'):
        load_config(SEGMENTOR, root)


def test_files_that_cannot_be_read(root: Path) -> None:
    (root / 'images/train/a.jpg').write_bytes(b'no image')
    (root / 'labels/train/b.png').write_bytes(b'')
    report = check(root)
    assert [(f.severity, f.what) for f in report.errors] == [
        ('error', 'image that cannot be read'),
        ('error', 'label map that cannot be used'),
    ]
    assert report.errors[0].examples[0].startswith('a.jpg (cannot identify')
    assert report.errors[1].examples == ('b.png (the file is empty)',)


def test_colours_in_place_of_classes(root: Path) -> None:
    colours = np.zeros((6, 8, 3), dtype=np.uint8)
    colours[:, 4:] = (128, 64, 128)
    write_label(root / 'labels/train/a.png', colours)
    (error,) = check(root).errors
    assert 'a.png (expected one channel with a class index' in error.examples[0]
    assert 'got an image of mode RGB with colours' in error.examples[0]


def test_a_jpeg_as_label_map(root: Path) -> None:
    write_label(root / 'labels/train/a.jpg', label(0, 1))
    finding = only(check(root))
    what = 'label map of a format that changes values, expected .png, .tif or .bmp'
    assert (finding.what, finding.examples) == (what, ('a.jpg',))
    (root / 'labels/train/a.jpg').rename(root / 'labels/train/a.png')
    (error,) = check(root).errors
    assert error.examples == ('a.png (JPEG changes values, expected PNG)',)


def test_two_images_for_one_label_map(root: Path) -> None:
    write_image(root / 'images/train/a.bmp')
    finding = only(check(root))
    assert (finding.severity, finding.examples) == ('error', ('a.bmp and a.jpg',))


def test_two_label_maps_for_one_image(root: Path) -> None:
    write_label(root / 'labels/train/a.PNG', label(0, 1))
    finding = only(check(root))
    assert (finding.severity, finding.examples) == ('error', ('a.PNG and a.png',))


def test_nothing_to_learn(root: Path) -> None:
    for name in ('a', 'b'):
        write_label(root / f'labels/train/{name}.png', label(9))
    assert only(check(root)).what == 'no pixel of any class'
    for name in ('a', 'b'):
        (root / f'labels/train/{name}.png').unlink()
    assert 'no image with a label map' in [f.what for f in check(root).errors]


@pytest.mark.parametrize('kind', ['images', 'labels'])
def test_no_folder(root: Path, kind: str) -> None:
    (root / kind / 'train').rename(root / 'elsewhere')
    with pytest.raises(FileNotFoundError, match=f'expected a folder at .*{kind}/train'):
        check(root)


def test_camvid(shared_data: Path) -> None:
    """Pixels as `np.bincount` of what OpenCV reads counted them, once."""
    report = check_labels(
        LabelSplit(shared_data / 'camvid/images/val', shared_data / 'camvid/labels/val'),
        LabelClasses(tuple('abcdefghijk'), 11),
    )
    assert report.findings == ()
    assert report.images == 101
    assert sum(report.pixels) + report.ignored == 101 * 480 * 360
    counted = [1601620, 4531180, 98499, 5053176, 1521751, 2851125, 155724, 537197, 304716]
    assert report.pixels == (*counted, 113531, 387010)
    assert report.ignored == 297271
