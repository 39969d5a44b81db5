"""Training on copies of Penn-Fudan as annotation tools export it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.export_source import Part
from tests.helpers.exports import EXPORTS
from tests.helpers.tiny import as_arguments, narrow_retinanet, options
from tests.helpers.tiny_models import DETECTOR
from tests.helpers.tool import call

SAME = ('Roboflow COCO', 'CVAT COCO', 'FiftyOne COCO', 'COCO at the root')
OTHER = ('YOLO', 'VOC devkit', 'labelme parts', 'CVAT XML')


def few(folder: Path, part: str, images: int) -> Part:
    """The first images of a part, in the order of their names: some formats have no other."""
    data = json.loads((folder / 'annotations' / f'{part}.json').read_text(encoding='utf-8'))
    data['images'] = sorted(data['images'], key=lambda image: image['file_name'])[:images]
    ids = {image['id'] for image in data['images']}
    data['annotations'] = [entry for entry in data['annotations'] if entry['image_id'] in ids]
    for entry in data['annotations']:
        entry.setdefault('iscrowd', 0)
    return Part(data, folder / 'images')


def trained(root: Path, work_dir: Path) -> dict[str, Any]:
    """The weights after two steps."""
    small = as_arguments({**options(), **narrow_retinanet(), 'randomness.seed': 0})
    assert call('train', DETECTOR, '--data', root, '--work-dir', work_dir, *small) == 0
    return torch.load(work_dir / 'epoch_1.pth', weights_only=False)['state_dict']


@pytest.mark.slow
def test_exports_train_to_the_same_weights(shared_data: Path, tmp_path: Path) -> None:
    parts = {part: few(shared_data / 'pennfudan', part, 4) for part in ('train', 'val')}
    expected = trained(
        EXPORTS['COCO short'].write(tmp_path / 'coco', parts, True), tmp_path / 'run'
    )
    for number, name in enumerate((*SAME, *OTHER)):
        export = EXPORTS[name]
        root = export.write(tmp_path / f'set{number}', parts, export.masks == 'all')
        found = trained(root, tmp_path / f'run{number}')
        assert list(found) == list(expected)
        if name in SAME:
            assert all(torch.equal(found[key], expected[key]) for key in expected), name
