"""The demo dataset: the annotations agree with the images."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

import effnet_dense.data.demo.dataset as demo_module
from effnet_dense.data import find_coco, make_demo
from effnet_dense.data.demo.scenes import SHAPES


@pytest.fixture(scope='module')
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp('data') / 'demo', train=12, val=6)


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob('*') if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_same_seed_same_bytes(demo: Path, tmp_path: Path) -> None:
    assert content(make_demo(tmp_path / 'again', train=12, val=6)) == content(demo)
    other = content(make_demo(tmp_path / 'other', seed=1, train=12, val=6))
    assert not {p for p, b in content(demo).items() if 'images' in p and other[p] == b}


def test_train_and_val_differ(demo: Path) -> None:
    images = {b for path, b in content(demo).items() if path.startswith('images')}
    assert len(images) == 18


def test_is_found_and_sound(demo: Path) -> None:
    source = find_coco(demo, masks=('train', 'val'))
    assert source.classes == tuple(SHAPES)
    assert [report.findings for report in source.reports.values()] == [(), ()]
    assert [report.images for report in source.reports.values()] == [12, 6]


def test_boxes_are_tight_around_the_masks(demo: Path) -> None:
    coco = COCO(str(demo / 'annotations/train.json'))
    assert len(coco.anns) > 30
    for annotation in coco.anns.values():
        rows, columns = np.nonzero(coco.annToMask(annotation))
        left, top = columns.min(), rows.min()
        width, height = columns.max() + 1 - left, rows.max() + 1 - top
        assert annotation['bbox'] == [left, top, width, height]
        assert annotation['area'] == len(rows)


def test_label_maps_are_the_union_of_the_masks(demo: Path) -> None:
    classes = json.loads((demo / 'classes.json').read_text(encoding='utf-8'))
    assert classes == {'classes': ['background', *SHAPES], 'ignore': 255}
    coco = COCO(str(demo / 'annotations/val.json'))
    for image_id, image in coco.imgs.items():
        stem = Path(image['file_name']).stem
        labels = cv2.imread(str(demo / f'labels/val/{stem}.png'), cv2.IMREAD_UNCHANGED)
        assert labels.dtype == np.uint8
        expected = np.zeros_like(labels)
        for annotation in coco.loadAnns(coco.getAnnIds([image_id])):
            mask = coco.annToMask(annotation).astype(bool)
            assert not expected[mask].any()  # masks hold what is seen, so they do not overlap
            name = coco.cats[annotation['category_id']]['name']
            expected[mask] = classes['classes'].index(name)
        np.testing.assert_array_equal(labels, expected)


def test_is_reused_until_the_recipe_changes(tmp_path: Path) -> None:
    folder = make_demo(tmp_path / 'demo', train=2, val=1)
    image = folder / 'images/train/train_0000.jpg'
    first = image.stat().st_mtime_ns
    make_demo(folder, train=2, val=1)
    assert image.stat().st_mtime_ns == first
    make_demo(folder, seed=5, train=2, val=1)
    assert image.stat().st_mtime_ns != first
    second = image.stat().st_mtime_ns
    (folder / 'demo.json').write_text(
        '{"seed": 5, "train": 2, "val": 1, "version": 0}', encoding='utf-8'
    )
    make_demo(folder, seed=5, train=2, val=1)
    assert image.stat().st_mtime_ns != second


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = content(make_demo(tmp_path / 'demo', train=2, val=1))

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(demo_module, '_dump', stop)
        with pytest.raises(KeyboardInterrupt):
            make_demo(tmp_path / 'demo', seed=3, train=2, val=1)
        with pytest.raises(KeyboardInterrupt):
            make_demo(tmp_path / 'fresh', train=2, val=1)
    assert [path.name for path in tmp_path.iterdir()] == ['demo']
    assert content(tmp_path / 'demo') == old
    assert content(make_demo(tmp_path / 'fresh', train=2, val=1)) == old


def test_another_process_was_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = demo_module._write

    def slow_write(folder: Path, recipe: demo_module.DemoRecipe) -> None:
        write(tmp_path / 'demo', recipe)
        write(folder, recipe)

    monkeypatch.setattr(demo_module, '_write', slow_write)
    assert make_demo(tmp_path / 'demo', train=2, val=1) == tmp_path / 'demo'
    assert [path.name for path in tmp_path.iterdir()] == ['demo']


def test_someone_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'thesis.txt').write_text('mine', encoding='utf-8')
    with pytest.raises(FileExistsError, match='empty, to write the demo dataset'):
        make_demo(tmp_path)
    with pytest.raises(FileExistsError, match='empty, to write the demo dataset'):
        make_demo(tmp_path / 'thesis.txt')


@pytest.mark.parametrize('options', [{'train': 0}, {'val': -1}, {'seed': -1}])
def test_wrong_numbers(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match='expected seed ≥ 0 and at least one image each'):
        make_demo(tmp_path / 'demo', **options)
