"""Objects with masks as label maps: from every format that has masks, to the pixel."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DATASETS, DefaultScope
from mmseg.utils import register_all_modules

from effnet_dense.data import LabelSource, find_labels, use_data
from effnet_dense.data.drawn_labels import labels_of_objects, render
from effnet_dense.engine.config import load_config
from tests.helpers.export_source import Part, decoded, objects_of
from tests.helpers.exports import EXPORTS, sample
from tests.helpers.label_folder import write_folder

FAST = ('COCO short', 'Roboflow COCO', 'CVAT COCO task', 'YOLO', 'CVAT XML', 'labelme embedded')
WITH_MASKS = [
    pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
    for name, export in EXPORTS.items()
    if export.masks
]
BOX = [[2, 2, 8, 2, 8, 8, 2, 8]]
INNER = [[4, 4, 6, 4, 6, 6, 4, 6]]


@pytest.fixture(scope='module', autouse=True)
def _mmseg_scope() -> Iterator[None]:
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def find(root: Path, work: Path) -> LabelSource:
    return find_labels(root, draw=partial(labels_of_objects, folder=work))


def expected(part: Part, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Label maps drawn with numpy: larger objects first."""
    names = {category['id']: category['name'] for category in part.coco['categories']}
    objects, maps = objects_of(part), {}
    for image in part.coco['images']:
        drawn = np.zeros((image['height'], image['width']), dtype=np.uint8)
        masks = [(decoded(entry, image), entry) for entry in objects[image['id']]]
        for mask, entry in sorted(masks, key=lambda pair: -pair[0].sum()):
            drawn[mask] = classes.index(names[entry['category_id']])
        maps[Path(image['file_name']).stem] = drawn
    return maps


@pytest.mark.parametrize('name', WITH_MASKS)
def test_formats(name: str, tmp_path: Path) -> None:
    parts = sample(tmp_path / 'source')
    root = EXPORTS[name].write(tmp_path / 'set', parts, True)
    cfg = load_config('effnet_lite0_fpn_camvid')
    source = use_data(cfg, root, scratch=tmp_path / 'work')
    assert source.classes[0] == 'background' and len(source.classes) == 4
    truth = {k: v for part in parts.values() for k, v in expected(part, source.classes).items()}
    found = {}
    for loop in ('train', 'val'):
        cfg[f'{loop}_dataloader'].dataset.pipeline = cfg.test_dataloader.dataset.pipeline
        data = DATASETS.build(cfg[f'{loop}_dataloader'].dataset)
        for index in range(len(data)):
            stem = Path(data.get_data_info(index)['img_path']).stem
            found[stem] = data[index]['data_samples'].gt_sem_seg.data[0].numpy()
    assert len(found) == len(truth) == 6
    wrong = [
        int((found[stem] != next(v for k, v in truth.items() if k in stem or stem in k)).sum())
        for stem in found
    ]
    assert max(wrong) <= (0 if EXPORTS[name].rounding == 0 else 4), wrong
    assert 'smaller objects lie on larger ones' in ' '.join(source.remarks)


def test_written_once(tmp_path: Path) -> None:
    root = EXPORTS['COCO short'].write(tmp_path / 'set', sample(tmp_path / 'source'), True)
    find(root, tmp_path / 'work')
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'work').rglob('*')}
    assert sum(path.suffix == '.png' for path in before) == 6
    find(root, tmp_path / 'work')
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / 'work').rglob('*')}


def test_crowds_overlaps_and_boxes() -> None:
    objects = [
        {'category_id': 7, 'segmentation': INNER},
        {'category_id': 8, 'segmentation': BOX},
        {'category_id': 7, 'segmentation': [[0, 0, 10, 0, 10, 3, 0, 3]], 'iscrowd': 1},
        {'category_id': 7, 'bbox': [0, 9, 3, 1]},
    ]
    drawn = render(objects, {7: 1, 8: 2}, (10, 10))
    assert drawn[5, 5] == 1 and drawn[3, 3] == 2  # the smaller one on top
    assert drawn[1, 5] == 255 and drawn[2, 5] == 2 and drawn[9, 1] == 255
    assert drawn[9, 9] == 0


def test_boxes_cannot_be_drawn(tmp_path: Path) -> None:
    root = EXPORTS['COCO short'].write(tmp_path / 'set', sample(tmp_path / 'source'), False)
    with pytest.raises(ValueError, match='has no masks or polygons, only 5 boxes'):
        find(root, tmp_path / 'work')
    assert not list(tmp_path.glob('work/*'))


def test_missing_images(tmp_path: Path) -> None:
    root = EXPORTS['COCO short'].write(tmp_path / 'set', sample(tmp_path / 'source'), True)
    next(root.rglob('val*.png')).unlink()
    with pytest.raises(FileNotFoundError, match=r'1 image is missing in .*: val'):
        find(root, tmp_path / 'work')


def test_zip_of_label_maps(tmp_path: Path) -> None:
    write_folder(tmp_path / 'set')
    archive = shutil.make_archive(str(tmp_path / 'set'), 'zip', tmp_path / 'set')
    cfg = load_config('effnet_lite0_fpn_camvid')
    source = use_data(cfg, archive, scratch=tmp_path / 'work')
    assert source.root.is_relative_to(tmp_path / 'work')
    assert len(DATASETS.build(cfg.train_dataloader.dataset)) == 2
