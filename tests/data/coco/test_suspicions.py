"""What looks like a mistake of the dataset is named, with what it means; sound data is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from effnet_dense.data.coco.suspicions import find_suspicions

WIDTH, HEIGHT = 200, 100
Change = Callable[[dict[str, Any]], None]


def dataset(images: int = 10) -> dict[str, Any]:
    """Two classes, an object of each in each image, anywhere in it."""
    random = np.random.default_rng(0)
    data: dict[str, Any] = dict(
        images=[
            dict(id=i, file_name=f'{i}.png', width=WIDTH, height=HEIGHT) for i in range(images)
        ],
        annotations=[],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
    )
    for i in range(2 * images):
        w, h = random.integers(10, 50, 2).tolist()
        x, y = int(random.integers(0, WIDTH - w)), int(random.integers(0, HEIGHT - h))
        polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
        entry = dict(id=i + 1, image_id=i // 2, category_id=1 + i % 2, iscrowd=0, area=w * h)
        data['annotations'].append(dict(entry, bbox=[x, y, w, h], segmentation=[polygon]))
    return data


def suspicions(data: dict[str, Any], evaluated: bool = False) -> list[str]:
    findings = find_suspicions(data, data, data, evaluated, masks=True)
    assert all(finding.severity == 'warning' for finding in findings)
    return [str(finding) for finding in findings]


def test_images_in_which_some_classes_were_not_looked_for() -> None:
    data = dataset()
    for image in data['images']:
        image['neg_category_ids'] = [2]
    assert suspicions(data) == [], 'training does not ask'
    (found,) = suspicions(data, evaluated=True)
    assert found.startswith("warning: 10 × image with 'neg_category_ids', as in LVIS")


def each(change: Change) -> Change:
    def run(data: dict[str, Any]) -> None:
        for entry in data['annotations']:
            change(entry)

    return run


def corners(entry: dict[str, Any]) -> None:
    x, y, w, h = entry['bbox']
    entry['bbox'] = [x, y, x + w, y + h]


def centred(entry: dict[str, Any]) -> None:
    x, y, w, h = entry['bbox']
    entry['bbox'] = [x + w / 2, y + h / 2, w, h]


def shares(entry: dict[str, Any]) -> None:
    x, y, w, h = entry['bbox']
    entry['bbox'] = [x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT]


def scaled(factor: float) -> Change:
    def run(entry: dict[str, Any]) -> None:
        entry['segmentation'] = [[value * factor for value in entry['segmentation'][0]]]

    return run


def double(data: dict[str, Any]) -> None:
    data['annotations'] += [dict(a, id=100 + a['id']) for a in data['annotations']]


def single(data: dict[str, Any]) -> None:
    for entry in data['annotations'][:-1]:
        entry['category_id'] = 1


def test_sound_data() -> None:
    assert suspicions(dataset()) == suspicions(dataset(), evaluated=True) == []


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (each(corners), '100% of all boxes fit as [x1, y1, x2, y2]: expected [x, y, width'),
        (each(centred), 'of all boxes fit as [centre x, centre y, w, h]'),
        (each(shares), '20 × box of numbers up to 1, as if they were shares of the image'),
        (each(scaled(1 / 200)), '20 × mask with coordinates up to 1'),
        (each(scaled(0.5)), 'mask elsewhere than its box, as if it were made for another size'),
        (each(scaled(20.0)), 'mask completely outside of its image'),
        (each(lambda entry: entry.update(iscrowd=1)), "20 × annotation with 'iscrowd': 1"),
        (each(lambda entry: entry.update(ignore=1)), "20 × annotation with 'ignore': 1"),
        (double, '20 × annotation with class and box of another'),
        (double, 'each box is there twice'),
        (each(lambda entry: entry.update(category_id=1)), 'class without an object'),
        (single, '1 × class with objects in one image only: dog'),
    ],
)
def test_named_with_its_meaning(change: Change, words: str) -> None:
    data = dataset()
    change(data)
    named = suspicions(data)
    assert sum(words in warning for warning in named) == 1, named


def test_meaning_in_training_and_evaluation() -> None:
    data = dataset()
    each(lambda entry: entry.update(iscrowd=1, ignore=1, category_id=1))(data)
    training, evaluation = ' '.join(suspicions(data)), ' '.join(suspicions(data, evaluated=True))
    assert 'never learned: dog' in training and 'never scored: dog' in evaluation
    assert training.count('not trained on') == 2 and 'not trained on' not in evaluation


def test_an_image_without_objects_and_a_file_without_annotations() -> None:
    data = dataset()
    data['annotations'] = []
    assert suspicions(data) == []
