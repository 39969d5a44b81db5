"""`--skip-bad`: each broken record is left out, and the list of them is exact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from effnet_dense.data.coco import clean_coco
from effnet_dense.data.coco.annotation_file import CocoSplit
from effnet_dense.data.coco.check import check_coco
from effnet_dense.data.skipping import SkipBad
from tests.helpers.coco_folder import Coco, box, tiny_coco, write_images, write_json


def clean(tmp_path: Path, content: Coco, limit: float = 1.0, **options: bool) -> Any:
    ann_file = write_json(content, tmp_path / 'given.json')
    split = CocoSplit(ann_file, write_images(tmp_path / 'images'))
    return clean_coco('train', split, SkipBad(tmp_path / 'run', limit), **options)


def listed(tmp_path: Path, what: str) -> list[str]:
    content = json.loads((tmp_path / 'run' / 'skipped_train.json').read_text(encoding='utf-8'))
    return [f'{record["name"]}: {record["why"]}' for record in content[what]]


def test_a_sound_set_stays(tmp_path: Path) -> None:
    result = clean(tmp_path, tiny_coco())
    assert json.loads(result.split.ann_file.read_text(encoding='utf-8')) == tiny_coco()
    assert listed(tmp_path, 'images') == listed(tmp_path, 'annotations') == []


@pytest.mark.parametrize('evaluated', [True, False])
@pytest.mark.parametrize(
    ('changes', 'expected', 'only_training'),
    [
        (
            {'bbox': [10, 10, 5]},
            "id 9 (image 12): 'bbox' of annotations is not four finite numbers",
            False,
        ),
        (
            {'bbox': None},
            "id 9 (image 12): 'bbox' of annotations is not four finite numbers",
            False,
        ),
        (
            {'area': float('nan')},
            "id 9 (image 12): 'area' of annotations is not a finite number",
            False,
        ),
        ({'id': 'x'}, "annotations[4]: 'id' of annotations is not an integer: 'x'", False),
        ({'id': 1}, 'id 1 (image 12): annotation id used twice', False),
        (
            {'category_id': 1},
            'id 9 (image 12): annotation of an unknown category: category 1',
            False,
        ),
        ({'image_id': 99}, 'id 9 (image 99): annotation of an unknown image', False),
        ({'bbox': [10, 10, 0, 5]}, 'id 9 (image 12): empty box', True),
        ({'bbox': [10, 10, 5, 0.5]}, 'id 9 (image 12): box thinner than a pixel', True),
        ({'bbox': [64, 10, 5, 5]}, 'id 9 (image 12): box completely outside its image', True),
        ({'area': 0}, "id 9 (image 12): annotation whose 'area' is not positive", True),
        ({'bbox': [60, 10, 8, 5]}, None, True),  # partly outside: it is cut
    ],
)
def test_broken_annotations(
    changes: Coco, expected: str | None, only_training: bool, evaluated: bool, tmp_path: Path
) -> None:
    content = tiny_coco()
    content['annotations'].append(box(9, 12, 7, [10, 10, 10, 10]) | changes)
    result = clean(tmp_path, content, evaluated=evaluated)
    left = listed(tmp_path, 'annotations')
    if expected is None or (only_training and evaluated):
        assert left == []
        return
    assert len(left) == 1 and left[0].startswith(expected)
    kept = json.loads(result.split.ann_file.read_text(encoding='utf-8'))
    assert kept == tiny_coco()
    assert not check_coco(result.split, evaluated=evaluated).errors


@pytest.mark.parametrize(
    ('fault', 'why'),
    [
        ('gone', 'broken/a.png: image missing in '),
        ('empty', 'cannot identify image file'),
        ('truncated', 'a.png: '),
        ('size', 'a.png: image whose size differs from the JSON file: 64 × 48, not 65 × 48'),
        ('field', "a.png: 'width' of images is not a positive number of pixels: None"),
        ('twice', 'a.png: image id used twice: id 5'),
    ],
)
def test_broken_images_go_with_their_annotations(fault: str, why: str, tmp_path: Path) -> None:
    content = tiny_coco()
    folder = write_images(tmp_path / 'images')
    file, first = folder / 'a.png', content['images'][0]
    good = file.read_bytes()
    if fault in ('gone', 'empty', 'truncated'):
        first['file_name'] = 'broken/a.png'
        (folder / 'broken').mkdir()
        if fault != 'gone':
            part = b'' if fault == 'empty' else good[: len(good) // 2]
            (folder / 'broken' / 'a.png').write_bytes(part)
    elif fault == 'twice':
        content['images'] = [content['images'][1], {**first, 'id': 5}]
        content['annotations'] = content['annotations'][2:]
    else:
        first['width'] = 65 if fault == 'size' else None
    result = clean(tmp_path, content)
    left = listed(tmp_path, 'images')
    assert len(left) == 1 and why in left[0]
    assert listed(tmp_path, 'annotations') == []
    kept = json.loads(result.split.ann_file.read_text(encoding='utf-8'))
    assert [image['file_name'] for image in kept['images']] == ['b.png']
    assert [annotation['id'] for annotation in kept['annotations']] == [3, 4]


def test_training_images_are_not_decoded(tmp_path: Path) -> None:
    content = tiny_coco()
    folder = write_images(tmp_path / 'images')
    jpeg = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    (folder / 'c.jpg').write_bytes(jpeg[:-20])  # the header is complete
    content['images'][0]['file_name'] = 'c.jpg'
    clean(tmp_path, content, evaluated=False)
    assert listed(tmp_path, 'images') == []
    clean(tmp_path, content, evaluated=True)
    assert 'ends early' in listed(tmp_path, 'images')[0]


@pytest.mark.parametrize(('total', 'allowed'), [(1, 1), (20, 1), (39, 1), (40, 2), (200, 10)])
def test_limit(total: int, allowed: int) -> None:
    assert SkipBad(Path('.'), 0.05).allowed(total) == allowed


def test_more_than_the_limit_is_an_error_with_the_list(tmp_path: Path) -> None:
    content = tiny_coco()
    for annotation in content['annotations'][:2]:
        annotation['category_id'] = 1
    with pytest.raises(ValueError, match=r'(?s)2 of 4 annotations.*at most 1 \(5%\).*id 1 .*id 2 '):
        clean(tmp_path, content, limit=0.05)
