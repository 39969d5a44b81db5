"""Files that do not have COCO's structure."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.data.coco.annotation_file import CocoSplit
from effnet_dense.data.coco.check import check_coco
from tests.helpers.coco_folder import write_json


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', 'is empty'),
        ('{"images": [],\n "annotations" [', r'not valid JSON: .* at line 2, column 16'),
        ('[' * 100_000, 'not valid JSON'),
        ('{"images": ' + '1' * 5000 + '}', 'not valid JSON'),
        ('{"images": [], "categories": [], "categories": []}', "repeats keys: 'categories'"),
        ('{"images": [{"id": 1, "a": 1, "id": 2}]}', "not valid JSON: .* repeats keys: 'id'"),
        ('[]', 'expected an object with .* got a list'),
        ('{"images": [], "annotations": []}', r"keys \['categories'\] are missing"),
        ('{"images": {}, "annotations": [], "categories": []}', "'images' must be a list"),
        ('{"images": [3], "annotations": [], "categories": []}', r'images\[0\] must be an object'),
    ],
)
def test_not_coco_at_all(tmp_path: Path, text: str, words: str) -> None:
    ann_file = write_json('x', tmp_path / 'train.json')
    ann_file.write_text(text, encoding='utf-8')
    with pytest.raises(ValueError, match=words):
        check_coco(CocoSplit(ann_file, tmp_path))


def test_not_utf8(tmp_path: Path) -> None:
    ann_file = tmp_path / 'train.json'
    ann_file.write_bytes(b'{"images": "\xff\xfe"}')
    with pytest.raises(ValueError, match=r'train\.json is not valid JSON'):
        check_coco(CocoSplit(ann_file, tmp_path))
