"""Each fault, put by hand into a sound dataset, must be found, counted and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from effnet_dense.data.coco.annotation_file import CocoSplit
from effnet_dense.data.coco.check import CocoReport, check_coco
from tests.helpers.coco_folder import Coco, box, tiny_coco, write_images, write_json


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., CocoReport]:
    def run(content: Coco, **options: bool) -> CocoReport:
        ann_file = write_json(content, tmp_path / 'train.json')
        return check_coco(CocoSplit(ann_file, write_images(tmp_path / 'images')), **options)

    return run


def test_sound_dataset(check: Callable[..., CocoReport]) -> None:
    report = check(tiny_coco(), masks=True, evaluated=True)
    assert report.findings == ()
    assert (report.images, report.annotations) == (2, 4)
    assert report.classes == ('cat', 'ant', 'bee')


def with_annotation(**changes: Any) -> Coco:
    content = tiny_coco()
    content['annotations'].append(box(9, 12, 7, [10, 10, 10, 10]) | changes)
    return content


@pytest.mark.parametrize(
    ('changes', 'severity', 'words'),
    [
        ({'bbox': [10, 10, 0, 5]}, 'warning', 'empty box'),
        ({'bbox': [10, 10, 5, -3]}, 'warning', 'empty box'),
        ({'bbox': [10, 10, 5, 0.5]}, 'warning', 'thinner than a pixel'),
        ({'bbox': [64, 10, 5, 5]}, 'warning', 'completely outside'),
        ({'bbox': [-9, 10, 9, 5]}, 'warning', 'completely outside'),
        (box(9, 12, 7, [60, 10, 8, 5]), 'warning', 'partly outside'),
        (box(9, 12, 7, [-3, 10, 9, 5]), 'warning', 'partly outside'),
        ({'area': 0}, 'warning', 'not positive'),
        ({'id': 0}, 'warning', 'annotation with id 0'),
        ({'image_id': 99}, 'warning', 'unknown image'),
        ({'category_id': 1}, 'error', 'unknown category'),
        ({'id': 1}, 'error', 'annotation id used twice'),
        ({'bbox': [10, 10, 5]}, 'error', "'bbox' of annotations is not four finite"),
        ({'bbox': [10, 10, 5, '5']}, 'error', "'bbox' of annotations is not four finite"),
        ({'bbox': [float('nan'), 10, 5, 5]}, 'error', "'bbox' of annotations is not four finite"),
        ({'bbox': [0, 0, float('inf'), 5]}, 'error', "'bbox' of annotations is not four finite"),
        ({'bbox': None}, 'error', "'bbox' of annotations is not four finite"),
        ({'area': None}, 'error', "'area' of annotations is not"),
        ({'area': float('nan')}, 'error', "'area' of annotations is not"),
        ({'iscrowd': None}, 'error', "'iscrowd' of annotations is not 0 or 1"),
        ({'segmentation': []}, 'error', "'segmentation' of annotations is not"),
        ({'image_id': '12'}, 'error', "'image_id' of annotations is not an integer"),
        ({'category_id': True}, 'error', "'category_id' of annotations is not an integer"),
    ],
)
def test_faulty_annotation(
    check: Callable[..., CocoReport], changes: dict[str, Any], severity: str, words: str
) -> None:
    (finding,) = check(with_annotation(**changes), masks=True).findings
    assert (finding.severity, finding.count) == (severity, 1)
    assert words in finding.what
    assert len(finding.examples) == 1


def test_box_within_a_pixel_of_the_edge_is_rounding(check: Callable[..., CocoReport]) -> None:
    assert check(with_annotation(bbox=[-0.9, 10, 65.5, 38.9])).findings == ()


def test_what_only_evaluation_or_masks_need(check: Callable[..., CocoReport]) -> None:
    content = tiny_coco()
    for annotation in content['annotations']:
        del annotation['iscrowd'], annotation['segmentation']
    content['annotations'][0]['id'] = 0
    assert check(content, masks=False, evaluated=False).findings == ()
    for options in ({'evaluated': True}, {'evaluated': False, 'masks': True}):
        faulty, none_left = check(content, **options).findings
        assert (faulty.severity, faulty.count) == ('error', 4)
        assert none_left.what == 'no usable annotation'


def test_counts_and_first_examples(check: Callable[..., CocoReport]) -> None:
    content = tiny_coco()
    content['annotations'] += [box(100 + i, 5, 7, [200, 0, 5, 5]) for i in range(5)]
    (finding,) = check(content).findings
    assert finding.count == 5
    assert finding.examples[0] == 'id 100 (image 5): [200, 0, 5, 5]'
    assert str(finding).startswith(
        'warning: 5 × box completely outside its image, left out of training'
    )
    assert str(finding).endswith('id 102 (image 5): [200, 0, 5, 5], …')


@pytest.mark.parametrize(
    ('key', 'changes', 'words'),
    [
        ('images', {'id': 12}, 'image id used twice: b.png: id 12'),
        ('images', {'width': 0}, "'width' of images is not a positive number"),
        ('images', {'height': None}, "'height' of images is not a positive number"),
        ('images', {'file_name': ''}, "'file_name' of images is not a file name"),
        ('images', {'file_name': 'c.png'}, 'c.png'),
        ('images', {'file_name': 'sub/b.png'}, 'sub/b.png'),
        ('images', {'width': 60, 'height': 80}, 'b.png: 80 × 60, not 60 × 80'),
        ('categories', {'id': 90}, 'category id used twice: categories[1]: id 90'),
        ('categories', {'name': 'cat'}, "category name used twice: categories[1]: name 'cat'"),
        ('categories', {'name': 3}, "'name' of categories is not a name of at most 200 characters"),
    ],
)
def test_faulty_image_or_category(
    check: Callable[..., CocoReport], key: str, changes: dict[str, Any], words: str
) -> None:
    content = tiny_coco()
    content[key][1] |= changes
    errors = [str(finding) for finding in check(content).errors]
    assert sum(words in error for error in errors) == 1, errors


def test_only_missing_images_count_as_missing_files(check: Callable[..., CocoReport]) -> None:
    content = tiny_coco()
    content['images'][0]['file_name'] = 'gone.png'
    (finding,) = check(content).findings
    assert finding.missing_files and finding.examples == ('gone.png',)


def test_images_in_subfolders_are_found(tmp_path: Path) -> None:
    content = tiny_coco()
    content['images'][1]['file_name'] = 'more/b.png'
    folder = write_images(tmp_path / 'images')
    (folder / 'more').mkdir()
    (folder / 'b.png').rename(folder / 'more' / 'b.png')
    split = CocoSplit(write_json(content, tmp_path / 'train.json'), folder)
    assert check_coco(split).findings == ()


def test_broken_header(tmp_path: Path) -> None:
    folder = write_images(tmp_path / 'images')
    (folder / 'a.png').write_bytes(b'no image')
    (finding,) = check_coco(
        CocoSplit(write_json(tiny_coco(), tmp_path / 't.json'), folder)
    ).findings
    assert finding.severity == 'error' and 'a.png' in finding.examples[0]


def test_size_is_that_of_the_image_turned_by_exif(tmp_path: Path) -> None:
    """OpenCV turns an image of orientation 6, which exchanges width and height."""
    from PIL import Image

    folder = write_images(tmp_path / 'images')
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((64, 48, 3), np.uint8)).save(folder / 'a.jpg', exif=exif)
    assert cv2.imread(str(folder / 'a.jpg')).shape[:2] == (48, 64)
    content = tiny_coco()
    content['images'][0]['file_name'] = 'a.jpg'
    split = CocoSplit(write_json(content, tmp_path / 'train.json'), folder)
    assert check_coco(split).findings == ()


@pytest.mark.parametrize('orientation', [2, 3, 4])
def test_a_turn_that_keeps_the_size_is_named(tmp_path: Path, orientation: int) -> None:
    from PIL import Image

    folder = write_images(tmp_path / 'images')
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(folder / 'a.jpg', exif=exif)
    content = tiny_coco()
    content['images'][0]['file_name'] = 'a.jpg'
    report = check_coco(CocoSplit(write_json(content, tmp_path / 'train.json'), folder))
    (finding,) = report.findings
    assert finding.severity == 'warning' and finding.examples == (
        f'a.jpg: orientation {orientation}',
    )


def test_notes_do_not_stop(check: Callable[..., CocoReport]) -> None:
    content = tiny_coco()
    content['annotations'] = content['annotations'][:2]
    report = check(content)
    assert [str(f) for f in report.findings] == [
        'warning: 1 × class without an object, never scored: bee',
        'note: 1 × image without annotations: b.png',
    ]
    assert report.errors == ()


@pytest.mark.parametrize('key', ['annotations', 'categories', 'images'])
def test_empty_list(check: Callable[..., CocoReport], key: str) -> None:
    content = tiny_coco()
    content[key] = []
    words = {
        'annotations': 'no usable annotation',
        'images': 'no usable annotation',
        'categories': 'no category in',
    }
    assert any(words[key] in str(finding) for finding in check(content).errors)


def test_all_annotations_unusable(check: Callable[..., CocoReport]) -> None:
    content = tiny_coco()
    for annotation in content['annotations']:
        annotation['area'] = 0
    (error,) = check(content).errors
    assert 'no usable annotation' in error.what
