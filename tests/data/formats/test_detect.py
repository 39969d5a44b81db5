"""Every tool's export is recognised and read equal to its source."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.data.formats.detect import find_dataset
from tests.helpers.exports import EXPORTS, cases, sample
from tests.helpers.found import expect_equal, images_exist


@pytest.mark.parametrize(('name', 'kind'), cases())
def test_reads_every_export(name: str, kind: str, tmp_path: Path) -> None:
    export, masks = EXPORTS[name], kind != 'boxes'
    parts = sample(tmp_path / 'source', runs=kind == 'runs')
    root = export.write(tmp_path / 'set', parts, masks)
    found = find_dataset(root, tmp_path / 'unpacked')
    assert found.format == export.format
    assert found.root == root
    assert set(found.splits) == ({'train', 'val'} if export.parted else {'all'})
    expect_equal(found, parts, masks, export.rounding)
    assert all(images_exist(split) for split in found.splits.values())
    assert (tmp_path / 'unpacked').exists() == (name == 'labelme embedded')


@pytest.mark.parametrize('above', ['', 'export', 'export/fruit'])
def test_a_dataset_may_lie_deeper(above: str, tmp_path: Path) -> None:
    parts = sample(tmp_path / 'source')
    root = EXPORTS['Roboflow COCO'].write(tmp_path / 'set' / above, parts, True)
    (tmp_path / 'set' / '__MACOSX').mkdir()
    found = find_dataset(tmp_path / 'set', tmp_path / 'unpacked')
    assert found.root == root
    assert (f'the dataset lies in {above}/' in found.remarks) == bool(above)
    expect_equal(found, parts, masks=True)


def test_several_datasets_are_named(tmp_path: Path) -> None:
    parts = sample(tmp_path / 'source')
    for name in ('first', 'second'):
        EXPORTS['YOLO'].write(tmp_path / 'set' / name, parts, False)
    with pytest.raises(ValueError, match='holds 2 datasets, expected one: first, second'):
        find_dataset(tmp_path / 'set', tmp_path)


@pytest.mark.parametrize('name', ['COCO 2017', 'YOLO', 'VOC devkit', 'Roboflow COCO', 'CVAT XML'])
def test_names_of_folders_may_be_in_capitals(name: str, tmp_path: Path) -> None:
    parts, export = sample(tmp_path / 'source'), EXPORTS[name]
    root = export.write(tmp_path / 'set', parts, False)
    for path in sorted(root.rglob('*'), reverse=True):
        if path.is_dir() or path.suffix not in ('.png', '.xml', '.txt'):
            path.rename(path.with_name(path.name.upper()))
    expect_equal(find_dataset(root, tmp_path), parts, False, export.rounding)


@pytest.mark.parametrize(
    ('names', 'chosen'),
    [
        (('Label Studio YOLO', 'Label Studio COCO'), "Label Studio's COCO export"),
        (('VOC devkit', 'YOLO'), 'YOLO'),
        (('labelme', 'labelImg VOC'), 'Pascal VOC'),
        (('RetinaNet CSV', 'labelme parts'), 'labelme'),
        (('CVAT XML', 'CVAT YOLO'), 'CVAT XML'),
    ],
)
def test_of_several_formats_one_is_chosen(
    names: tuple[str, ...], chosen: str, tmp_path: Path
) -> None:
    parts = sample(tmp_path / 'source')
    for name in names:
        EXPORTS[name].write(tmp_path / 'set', parts, False)
    found = find_dataset(tmp_path / 'set', tmp_path)
    assert found.format == chosen
    assert any(f'{chosen} is used; there is also ' in remark for remark in found.remarks)


def test_a_damaged_file_of_a_preferred_format_is_an_error(tmp_path: Path) -> None:
    parts = sample(tmp_path / 'source')
    root = EXPORTS['VOC devkit'].write(tmp_path / 'set', parts, False)
    (root / 'data.yaml').write_text('names: [a', encoding='utf-8')
    with pytest.raises(ValueError, match=r'data\.yaml is not valid YAML'):
        find_dataset(root, tmp_path)
    (root / 'data.yaml').write_text('names: [a]\ntrain: elsewhere', encoding='utf-8')
    found = find_dataset(root, tmp_path)
    assert found.format == 'Pascal VOC'
    assert any('as YOLO, it cannot be read: ' in remark for remark in found.remarks)


@pytest.mark.parametrize('name', ['Roboflow VOC', 'Roboflow CSV', 'labelme parts'])
def test_of_two_folders_for_a_part_one_is_named(name: str, tmp_path: Path) -> None:
    parts = sample(tmp_path / 'source')
    root = EXPORTS[name].write(tmp_path / 'set', parts, False)
    (root / 'training').mkdir()
    assert 'training/ is not used beside train/' in find_dataset(root, tmp_path).remarks


def test_a_format_with_train_is_preferred(tmp_path: Path) -> None:
    """As in ultralytics' coco/, which has label files and COCO's JSON file of val only."""
    parts = sample(tmp_path / 'source')
    root = EXPORTS['YOLO'].write(tmp_path / 'set', parts, False)
    EXPORTS['COCO 2017'].write(root, {'val': parts['val']}, False)
    found = find_dataset(root, tmp_path)
    assert found.format == 'YOLO'
    assert set(found.splits) == {'train', 'val'}
    assert 'annotations/instances_val2017.json' in found.remarks[0]


@pytest.mark.parametrize(
    ('given', 'expected', 'said'),
    [
        ({'train', 'test'}, {'train': 'train', 'val': 'test'}, 'is used as val'),
        ({'train', 'val', 'test'}, {'train': 'train', 'val': 'val'}, 'is not used'),
        ({'train'}, {'all': 'train'}, 'is the only part'),
        ({'val'}, {'val': 'val'}, ''),
        ({'test'}, {'val': 'test'}, 'is used as val'),
    ],
)
@pytest.mark.parametrize('name', ['Roboflow COCO', 'YOLO', 'Roboflow VOC', 'labelme parts'])
def test_parts(
    name: str, given: set[str], expected: dict[str, str], said: str, tmp_path: Path
) -> None:
    parts = sample(tmp_path / 'source', tuple(sorted(given)))
    root = EXPORTS[name].write(tmp_path / 'set', parts, False)
    found = find_dataset(root, tmp_path)
    firsts = {part: split.data['images'][0]['file_name'] for part, split in found.splits.items()}
    assert {part: Path(name).name.split()[0] for part, name in firsts.items()} == expected
    assert any(said in remark for remark in found.remarks) or not said


def test_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'Looked for\n.*COCO JSON.*\n.*\n.*CVAT XML'):
        find_dataset(tmp_path, tmp_path)
    with pytest.raises(FileNotFoundError, match='expected a folder with a dataset at'):
        find_dataset(tmp_path / 'none', tmp_path)


@pytest.mark.parametrize(
    ('files', 'near'),
    [
        ({'a.jpg': b''}, 'no annotations in one of these formats'),
        ({'annotations/captions_train2017.json': b'{}'}, 'another of COCO’s tasks'),
        ({'a.json': b'{"images": [], "annotations": []}'}, 'a.json has no categories'),
        ({'labels/a.txt': b'0 .5 .5 .1 .1'}, 'labels/ has label files of YOLO, but there are no'),
        ({'labels/train/a.png': b''}, 'Label maps need an mmseg config'),
        ({'data.csv': b'a,b\n1,2'}, 'but it holds data.csv'),
        ({'fruit.zip': b''}, 'fruit.zip is not read; give it as DIR'),
    ],
)
def test_what_comes_near_is_named(files: dict[str, bytes], near: str, tmp_path: Path) -> None:
    for name, content in files.items():
        path = tmp_path / 'set' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with pytest.raises(FileNotFoundError, match=near):
        find_dataset(tmp_path / 'set', tmp_path)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'data.yaml'
    path.write_text('names: [a]', encoding='utf-8')
    with pytest.raises(ValueError, match=r'expected a folder or a ZIP file, got .*data\.yaml'):
        find_dataset(path, tmp_path)


DAMAGED = {
    'COCO short': ('annotations/train.json', b'{"images": [}', 'line 1, column 13'),
    'CVAT XML': ('annotations.xml', b'<annotations><image', 'annotations.xml is not valid XML'),
    'YOLO': ('labels/train/train 9.txt', b'0 1 2', 'train 9.txt, line 1: expected a class and'),
    'Roboflow YOLO': ('data.yaml', b'names: [a', 'data.yaml is not valid YAML'),
    'CVAT YOLO': ('train.txt', b'data/none.jpg', 'names 1 image, of which 1 are not in'),
    'VOC devkit': ('Annotations/train 9.xml', b'<annotation><object>', 'train 9.xml is not valid'),
    'labelme': ('train 9.json', b'{"shapes": [3]}', r'shapes\[0\]: expected an object'),
    'RetinaNet CSV': ('train.csv', b'a.png,1,2,3,4,cat\na.png,1,2,3,x,cat', 'train.csv, line 2'),
}


@pytest.mark.parametrize('name', DAMAGED)
def test_damage_is_named_with_its_place(name: str, tmp_path: Path) -> None:
    file, content, message = DAMAGED[name]
    root = EXPORTS[name].write(tmp_path / 'set', sample(tmp_path / 'source'), False)
    assert (root / file).is_file()
    (root / file).write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        find_dataset(root, tmp_path)


PIECES = [b'', b'null', b'NaN', b'-1', b'1e999', b'\x00', b'\xff', b'"', b'<', b'>', b'{', b']']
PIECES += [b'\n', b',', b' ', b'..', b'/', b'9' * 30, b'true', b'[[]]', b'&x;', b'<!DOCTYPE a>']

FUZZED = ('Roboflow COCO', 'CVAT XML', 'YOLO', 'Roboflow YOLO', 'CVAT YOLO', 'VOC devkit')
FUZZED += ('labelme', 'Roboflow CSV', 'Open Images CSV', 'RetinaNet CSV')


@pytest.fixture(scope='module')
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One dataset for each format to be damaged."""
    folder = tmp_path_factory.mktemp('exports')
    parts = sample(folder / 'source')
    return {
        name: EXPORTS[name].write(folder / name, parts, bool(EXPORTS[name].masks))
        for name in FUZZED
    }


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_damaged_files_give_no_traceback(exported: dict[str, Path], data: st.DataObject) -> None:
    """Annotation files are cut, or some of their characters replaced."""
    root = exported[data.draw(st.sampled_from(FUZZED), 'format')]
    kinds = ('.json', '.xml', '.txt', '.yaml', '.csv', '.data', '.names')
    files = sorted(path for path in root.rglob('*') if path.suffix in kinds)
    file = data.draw(st.sampled_from(files), 'file')
    before = file.read_bytes()
    content = bytearray(before)
    for _ in range(data.draw(st.integers(1, 3), 'changes')):
        at = data.draw(st.integers(0, max(0, len(content) - 1)), 'at')
        piece = data.draw(st.sampled_from(PIECES), 'piece')
        content[at : at + data.draw(st.integers(0, 9), 'removed')] = piece
    try:
        file.write_bytes(content)
        find_dataset(root, root.parent / 'unpacked')
    except (ValueError, FileNotFoundError) as error:
        assert '\n' not in str(error).split('Looked for')[0]
    finally:
        file.write_bytes(before)
