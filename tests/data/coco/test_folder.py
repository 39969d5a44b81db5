"""Finding a dataset, and the errors where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from effnet_dense.data import find_coco
from tests.helpers.coco_folder import box, tiny_coco, write_images, write_json


def test_short_layout_with_folders_per_split(make_folder: Callable[..., Path]) -> None:
    root = make_folder()
    source = find_coco(root)
    assert source.classes == ('cat', 'ant', 'bee')
    assert source.splits['train'].image_dir == root / 'images/train'
    assert source.splits['val'].ann_file == root / 'annotations/val.json'


def test_short_layout_with_one_folder(tmp_path: Path) -> None:
    for name in ('train', 'val'):
        write_json(tiny_coco(), tmp_path / f'annotations/{name}.json')
    write_images(tmp_path / 'images')
    splits = find_coco(tmp_path).splits
    assert splits['train'].image_dir == splits['val'].image_dir == tmp_path / 'images'


def test_coco_layout(tmp_path: Path) -> None:
    for name in ('train2017', 'val2017'):
        write_json(tiny_coco(), tmp_path / f'annotations/instances_{name}.json')
        write_images(tmp_path / name)
    splits = find_coco(tmp_path).splits
    assert splits['train'].ann_file == tmp_path / 'annotations/instances_train2017.json'
    assert splits['val'].image_dir == tmp_path / 'val2017'


def test_relative_folder_becomes_absolute(
    make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder()
    monkeypatch.chdir(root.parent)
    assert find_coco('set').root == root


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'a folder with a dataset at .*nothing'):
        find_coco(tmp_path / 'nothing')


def test_unknown_layout_lists_what_is_there(tmp_path: Path) -> None:
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations' / 'all.json').write_text('{}', encoding='utf-8')
    with pytest.raises(FileNotFoundError) as error:
        find_coco(tmp_path)
    assert 'instances_{train,val}2017.json' in str(error.value)
    assert 'it holds annotations/, annotations/all.json' in str(error.value)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='but it holds nothing'):
        find_coco(tmp_path)


def test_val_is_not_enough_to_train(make_folder: Callable[..., Path]) -> None:
    root = make_folder()
    (root / 'annotations/train.json').unlink()
    with pytest.raises(FileNotFoundError, match=r"annotations of \['val'\].*none of 'train'"):
        find_coco(root)


def test_train_alone_is_divided(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    root = make_folder()
    (root / 'annotations/val.json').unlink()
    source = find_coco(root, scratch=tmp_path / 'run')
    assert source.splits['val'].ann_file == tmp_path / 'run/val.json'
    counts = [(report.images, report.annotations) for report in source.reports.values()]
    assert counts == [(1, 2), (1, 2)]
    assert 'divided by the names: 1 image to train, 1 to evaluate' in source.summary()


def test_val_is_enough_to_test(make_folder: Callable[..., Path]) -> None:
    root = make_folder()
    (root / 'annotations/train.json').unlink()
    assert list(find_coco(root, splits=('val',)).splits) == ['val']


def test_no_images(make_folder: Callable[..., Path]) -> None:
    root = make_folder()
    shutil.rmtree(root / 'images')
    with pytest.raises(
        FileNotFoundError, match=r"none of the 2 images of 'train': expected a.png in"
    ):
        find_coco(root)


def test_missing_images_are_missing_files(make_folder: Callable[..., Path]) -> None:
    root = make_folder()
    (root / 'images/val/b.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 × image missing in .*images/val: b\.png'):
        find_coco(root)


def test_all_faults_of_all_parts_are_listed(make_folder: Callable[..., Path]) -> None:
    train, val = tiny_coco(), tiny_coco()
    train['annotations'].append(
        box(5, 12, 7, [1, 1, 5, 5]) | {'bbox': [1, 1, 5], 'segmentation': []}
    )
    val['annotations'].append(box(9, 12, 8, [1, 1, 5, 5]))
    root = make_folder(train, val)
    (root / 'images/val/b.png').unlink()
    with pytest.raises(ValueError) as error:
        find_coco(root)
    for words in ('is not four finite numbers', 'unknown category', 'image missing'):
        assert words in str(error.value)


def test_different_classes(make_folder: Callable[..., Path]) -> None:
    val = tiny_coco()
    val['categories'][0]['name'] = 'dog'
    with pytest.raises(ValueError, match=r"'train': \['cat'\], 'val': \['dog'\]"):
        find_coco(make_folder(val=val))


def test_different_order_of_classes(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    """mmdet numbers the labels by that order: val would be scored with permuted classes."""
    val = tiny_coco()
    val['categories'].reverse()
    source = find_coco(make_folder(val=val), scratch=tmp_path / 'run')
    assert source.reports['val'].classes == source.classes == ('cat', 'ant', 'bee')
    assert "order of val's classes, now train's: bee, ant, cat → cat, ant, bee" in source.summary()


def test_ids_may_differ_between_the_parts(make_folder: Callable[..., Path]) -> None:
    val = tiny_coco()
    for record in val['categories']:
        record['id'] += 1
    for record in val['annotations']:
        record['category_id'] += 1
    assert find_coco(make_folder(val=val)).classes == ('cat', 'ant', 'bee')


@pytest.mark.parametrize(('name', 'classes'), [('pennfudan', 1), ('coco128', 80)])
def test_real_data(shared_data: Path, name: str, classes: int) -> None:
    source = find_coco(shared_data / name)
    assert len(source.classes) == classes
    findings = [f for report in source.reports.values() for f in report.findings]
    named = {f.what.split(',')[0] for f in findings if f.severity != 'note'}
    assert named <= {'class without an object', 'class with objects in one image only'}
    assert not any(report.errors for report in source.reports.values())


def test_summary_counts(shared_data: Path) -> None:
    summary = find_coco(shared_data / 'pennfudan').summary()
    lines = summary.splitlines()
    assert any(
        line.startswith('train (') and line.endswith('): 136 images, 339 objects, 1 class')
        for line in lines
    )
    assert '34 images, 84 objects, 1 class' in summary
