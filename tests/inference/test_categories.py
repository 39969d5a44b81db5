"""Ids of COCO's own classes, of others, and of a given file."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmdet.datasets import CocoDataset

from effnet_dense.inference.categories import default_ids, ids_from
from tests.helpers.tiny_models import CLASSES


def test_ids_of_coco_and_of_a_file(tiny_data: Path) -> None:
    names = CocoDataset.METAINFO['classes']
    assert default_ids(names).categories[-1] == 90 and default_ids(names).categories[11] == 13
    assert default_ids(('a', 'b')).categories == (1, 2)
    ids = ids_from(tiny_data / 'annotations' / 'val.json', ('bar', 'square'))
    assert ids.categories == (2, 1) and ids.images == {'0.png': 1, '1.png': 2}
    assert ids.first_free == 3
    with pytest.raises(ValueError, match=r"val\.json has no categories \['ring'\]"):
        ids_from(tiny_data / 'annotations' / 'val.json', CLASSES)
