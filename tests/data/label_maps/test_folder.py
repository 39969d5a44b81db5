"""Finding a folder of label maps, and the errors when it is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from effnet_dense.data import find_coco, find_labels, make_demo
from effnet_dense.data.demo.scenes import SHAPES
from tests.helpers.label_folder import CLASSES, label, write_folder, write_image, write_label


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_folder(tmp_path / 'set')


def test_what_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    source = find_labels('set')
    assert source.root == root
    assert (source.classes, source.ignore) == (CLASSES, 9)
    assert source.splits['val'].label_dir == root / 'labels/val'
    assert [report.images for report in source.reports.values()] == [2, 1]
    assert source.summary().count('3 classes') == 2


def test_val_is_enough_to_test(root: Path) -> None:
    shutil.rmtree(root / 'images/train')
    assert list(find_labels(root, splits=('val',)).splits) == ['val']
    with pytest.raises(FileNotFoundError, match=r'folders that are missing: .*images/train'):
        find_labels(root)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'a folder with a dataset at .*nothing'):
        find_labels(tmp_path / 'nothing')


def test_no_classes(root: Path) -> None:
    (root / 'classes.json').unlink()
    with pytest.raises(FileNotFoundError, match=r'expected .*classes\.json'):
        find_labels(root)


def test_all_faults_of_all_parts_are_listed(root: Path) -> None:
    write_label(root / 'labels/train/a.png', label(0, 5))
    write_image(root / 'images/val/c.jpg', height=7)
    write_image(root / 'images/val/new.jpg')
    with pytest.raises(ValueError) as error:
        find_labels(root)
    for words in ('5 (24 pixels in 1 file: a.png)', 'c.png is 8 × 6', 'new.jpg'):
        assert words in str(error.value)


def test_missing_label_maps_are_missing_files(root: Path) -> None:
    write_image(root / 'images/val/new.jpg')
    with pytest.raises(FileNotFoundError, match=r'image without a label map in .*val: new\.jpg'):
        find_labels(root)


def test_each_kind_of_config_says_what_it_needs(
    root: Path, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError) as error:
        find_coco(root)
    assert 'annotations of boxes or masks, which a config for detection needs' in str(error.value)
    assert 'Label maps need an mmseg config' in str(error.value)
    shutil.rmtree(root)
    with pytest.raises(FileNotFoundError) as error:
        find_labels(make_folder())
    assert 'no label maps, which a config for segmentation needs' in str(error.value)
    assert 'labels/{train,val}/NAME.png' in str(error.value)
    assert "COCO's format need an mmdet config" in str(error.value)


def test_demo(tmp_path: Path) -> None:
    source = find_labels(make_demo(tmp_path / 'demo', train=8, val=6))
    assert source.classes == ('background', *SHAPES)
    assert source.ignore == 255
    assert [f.severity for r in source.reports.values() for f in r.findings] == []


def test_camvid(shared_data: Path) -> None:
    source = find_labels(shared_data / 'camvid')
    assert (len(source.classes), source.ignore) == (11, 11)
    assert '367 images with label maps, 11 classes' in source.summary()
    assert 'pixels: sky 10682767 (16.8%), building 14750079 (23.3%)' in source.summary()
    assert [f for report in source.reports.values() for f in report.findings] == []
