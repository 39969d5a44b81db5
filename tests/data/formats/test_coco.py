"""COCO JSON files are found in many layouts; which one is used is decided and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from effnet_dense.data.formats.coco import locate_coco
from effnet_dense.data.formats.folders import Folders
from effnet_dense.data.formats.found import FoundData
from tests.helpers.coco_folder import tiny_coco, write_images


def write(root: Path, *names: str, **more: object) -> None:
    """Write the same records into several files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(tiny_coco() | more), encoding='utf-8')


def read(root: Path) -> FoundData:
    layout = locate_coco(root, Folders(root / 'unpacked'))
    assert layout is not None
    return layout.read()


@pytest.mark.parametrize(
    ('files', 'expected'),
    [
        # The documented layouts come before others.
        (
            ['annotations/instances_train2017.json', 'annotations/instances_train2014.json'],
            {'all': 'instances_train2017.json'},
        ),
        (['annotations/train.json', 'annotations/training.json'], {'all': 'train.json'}),
        (
            ['annotations/instances_train.json', 'annotations/train_small.json'],
            {'all': 'instances_train.json'},
        ),
        # Parts of different layouts complete each other.
        (
            ['annotations/instances_train2017.json', 'annotations/my_valid.json'],
            {'train': 'instances_train2017.json', 'val': 'my_valid.json'},
        ),
        # A file without a part's name is used only if no other is there.
        (['result.json'], {'all': 'result.json'}),
        (['result.json', 'train.json', 'dev.json'], {'train': 'train.json', 'val': 'dev.json'}),
        (['Train/labels.json', 'TEST/labels.json'], {'train': 'labels.json', 'val': 'labels.json'}),
        (
            ['annotations/train/a.json', 'annotations/val/a.json'],
            {'train': 'a.json', 'val': 'a.json'},
        ),
        (['images/train/_annotations.coco.json'], {'all': '_annotations.coco.json'}),
    ],
)
def test_which_file_is_used(files: list[str], expected: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, *files)
    found = read(tmp_path)
    assert {part: split.source.name for part, split in found.splits.items()} == expected
    unused = len(files) - len(expected)
    assert sum('is not used' in remark for remark in found.remarks) == unused


@pytest.mark.parametrize(
    ('files', 'kind'),
    [
        (['annotations/a_train.json', 'annotations/b_train.json'], "the annotations of 'train'"),
        (['a.json', 'b.json'], 'the annotations'),
        (['valid/a.json', 'valid/b.json'], "the annotations of 'val'"),
        (['val/a.json', 'valid/a.json'], "the annotations of 'val'"),
    ],
)
def test_two_possible_files_are_an_error(files: list[str], kind: str, tmp_path: Path) -> None:
    write(tmp_path, *files)
    with pytest.raises(ValueError, match=f'2 files that may be {kind}: {files[0]}, {files[1]}'):
        locate_coco(tmp_path, Folders(tmp_path))


@pytest.mark.parametrize(
    'name',
    [
        *('person_keypoints_train2017', 'captions_train2017', 'stuff_train2017'),
        *('panoptic_train2017', 'image_info_test2017', 'my_keypoints_train'),
    ],
)
def test_files_of_other_tasks_are_left_alone(name: str, tmp_path: Path) -> None:
    write(tmp_path, f'annotations/{name}.json')
    folders = Folders(tmp_path)
    assert locate_coco(tmp_path, folders) is None
    assert f'{name}.json is for another' in folders.hints[0]


@pytest.mark.parametrize(
    'folder',
    ['train2017', 'images/train2017', 'images/train', 'images', 'train', 'data', 'train/images'],
)
def test_the_folder_that_holds_the_images_comes_first(folder: str, tmp_path: Path) -> None:
    write(tmp_path, 'annotations/instances_train2017.json')
    for empty in ('images', 'train', 'data'):
        (tmp_path / empty).mkdir()
    write_images(tmp_path / folder)
    split = read(tmp_path).splits['all']
    assert split.image_dirs[0] == tmp_path / folder
    assert tmp_path in split.image_dirs


def test_names_that_lead_elsewhere_are_not_looked_up(tmp_path: Path) -> None:
    outside = write_images(tmp_path / 'outside')
    images = [
        {'id': 1, 'file_name': '../outside/a.png'},
        {'id': 2, 'file_name': str(outside / 'b.png')},
        {'id': 3, 'file_name': 'a\0b'},
        {'id': 4, 'file_name': 'a' * 300},
        {'id': 5},
    ]
    write(tmp_path / 'set', 'a.json', images=images)
    split = read(tmp_path / 'set').splits['all']
    assert split.image_dirs == (tmp_path / 'set',)
    assert split.data['images'] == images


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32'])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    (tmp_path / 'a.json').write_text(json.dumps(tiny_coco()), encoding=encoding)
    found = read(tmp_path)
    split = found.splits['all']
    assert split.data == tiny_coco()
    assert split.ann_file == (tmp_path / 'a.json' if encoding == 'utf-8' else None)
    assert any('encoded as UTF-' in remark for remark in found.remarks) == (encoding != 'utf-8')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', 'is empty; expected JSON'),
        ('[]', 'expected an object with .* got a list'),
        ('{"images": []}', r"the keys \['annotations', 'categories'\] are missing"),
        ('{"images": 1, "annotations": [], "categories": []}', "'images' must be a list"),
        ('{"images": [], "annotations": [3], "categories": []}', r'annotations\[0\] must be'),
        ('{"images": [],\n "annotations": [}', 'line 2, column 18'),
        ('[' * 100_000, 'is not valid JSON'),
        ('{"images": ' + '9' * 5000 + '}', 'is not valid JSON'),
    ],
)
def test_faulty_files(content: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, 'annotations/train.json')
    (tmp_path / 'annotations/train.json').write_text(content, encoding='utf-8')
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path)
    assert 'train.json' in str(error.value)
