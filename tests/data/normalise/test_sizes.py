"""Sizes that ignore the EXIF orientation are swapped where the boxes show it, else an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from effnet_dense.data.coco.folder import find_coco
from tests.helpers.coco_folder import box, write_json
from tests.helpers.image_files import save_turned
from tests.helpers.oracle import oracle

UPRIGHT, STORED, EITHER = [2.0, 60.0, 30.0, 18.0], [60.0, 2.0, 18.0, 30.0], [4.0, 4.0, 20.0, 20.0]


def photos(root: Path, boxes: list[list[float]], orientation: int = 6) -> Path:
    """Photos of 48 × 80 pixels, upright, whose files and records are 80 × 48."""
    for part in ('train', 'val'):
        images, annotations = [], []
        for i, bbox in enumerate(boxes, start=1):
            path = root / 'images' / part / f'{i}.jpg'
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((48, 80, 3), 40 * i + (part == 'val'), np.uint8)
            save_turned(path, Image.fromarray(pixels), orientation)
            images.append({'id': i, 'file_name': path.name, 'width': 80, 'height': 48})
            annotations.append(box(i, i, 1, bbox))
        content: dict[str, Any] = {'images': images, 'annotations': annotations}
        content['categories'] = [{'id': 1, 'name': 'cat'}]
        write_json(content, root / 'annotations' / f'{part}.json')
    return root


@pytest.mark.parametrize('orientation', [5, 6, 7, 8])
def test_boxes_of_the_upright_image(orientation: int, tmp_path: Path) -> None:
    root = photos(tmp_path / 'set', [UPRIGHT, EITHER], orientation)
    found = oracle(root, tmp_path / 'run', masks=True)
    assert found.perfect
    summary = found.source.summary()
    assert 'train, repaired: 2 × size before the EXIF orientation, swapped' in summary
    assert '1.jpg: 48 × 80' in summary


@pytest.mark.parametrize('boxes', [[STORED, EITHER], [EITHER, EITHER], [UPRIGHT, STORED]])
def test_where_boxes_do_not_tell_it_is_an_error(boxes: list[list[float]], tmp_path: Path) -> None:
    root = photos(tmp_path / 'set', boxes)
    with pytest.raises(ValueError, match='48 × 80, not 80 × 48: swapped by its EXIF orientation'):
        find_coco(root, scratch=tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_sizes_in_the_file_are_left_alone_where_nothing_turns(tmp_path: Path) -> None:
    root = photos(tmp_path / 'set', [STORED, EITHER], orientation=1)
    assert not find_coco(root, scratch=tmp_path / 'run').repairs
    assert cv2.imread(str(root / 'images/train/1.jpg')).shape[:2] == (48, 80)
