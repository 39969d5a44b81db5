"""Pascal VOC's files: where coordinates count from, lists, names, and faulty files."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.data.formats.detect import find_dataset
from effnet_dense.data.formats.found import FoundData
from tests.helpers.exports import EXPORTS, sample

BOX = '<xmin>1</xmin><ymin>2</ymin><xmax>10</xmax><ymax>20</ymax>'


def xml(
    box: str = BOX,
    more: str = '',
    head: str = '<filename>a.png</filename>',
    name: str = '<name>cat</name>',
) -> str:
    """An annotation file with one object."""
    entry = f'<object>{name}<bndbox>{box}</bndbox>{more}</object>'
    return f'<annotation>{head}{entry}</annotation>'


def write(root: Path, *contents: str, image: str = 'a.png') -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / image).touch()
    for i, content in enumerate(contents):
        (root / f'{"ab"[i]}.xml').write_text(content, encoding='utf-8')
    return root


def read(root: Path) -> FoundData:
    return find_dataset(root, root.parent / 'unpacked')


DEVKIT = '<folder>VOC2012</folder><filename>a.png</filename>'
NARROW = '<size><width>9</width><height>40</height></size>'
DATABASE = '<source><database>The VOC2007 Database</database></source>'


@pytest.mark.parametrize(
    ('contents', 'expected', 'why'),
    [
        ([xml()], [1, 2, 9, 18], 'count from 0, as most tools'),
        ([xml(head=DEVKIT)], [0, 1, 10, 19], 'count from 1'),
        ([xml(head=DATABASE)], [0, 1, 10, 19], 'count from 1'),
        ([xml(head=DEVKIT), xml(BOX.replace('>1<', '>0<'))], [1, 2, 9, 18], '1 are 0'),
        ([xml(head='<folder>VOC</folder>')], [0, 1, 10, 19], 'count from 1'),  # supervision's
        ([xml(), xml(head=NARROW)], [0, 1, 9, 18], 'boxes end 1 beyond their image'),
        ([xml(BOX.replace('>1<', '>0<')), xml(head=NARROW)], [0, 2, 10, 18], '1 are 0'),
        # labelImg's, of a folder that is called like the devkit's.
        (
            [xml(head='<folder>VOC2007</folder><source><database>Unknown</database></source>')],
            [1, 2, 9, 18],
            'count from 0, as most tools',
        ),
        # VOC2012 has boxes with decimals.
        ([xml(head=DEVKIT), xml(BOX.replace('>10<', '>9.5<'))], [0, 1, 10, 19], 'count from 1'),
    ],
)
def test_where_coordinates_count_from(
    contents: list[str], expected: list[int], why: str, tmp_path: Path
) -> None:
    found = read(write(tmp_path / 'set', *contents))
    assert found.splits['all'].data['annotations'][0]['bbox'] == expected
    assert any(why in remark for remark in found.remarks)


def test_difficult_objects_are_ignored_as_in_mmdet(tmp_path: Path) -> None:
    found = read(write(tmp_path / 'set', xml(more='<difficult>1</difficult>')))
    assert found.splits['all'].data['annotations'][0]['iscrowd'] == 1
    assert any("'difficult': 1 object," in remark for remark in found.remarks)


def test_boxes_of_an_objects_parts_are_not_taken(tmp_path: Path) -> None:
    part = f'<part><name>head</name><bndbox>{BOX}</bndbox></part>'
    data = read(write(tmp_path / 'set', xml(more=part))).splits['all'].data
    assert [category['name'] for category in data['categories']] == ['cat']
    assert len(data['annotations']) == 1


def test_roboflows_polygons(tmp_path: Path) -> None:
    points = ''.join(f'<x{i}>{x}</x{i}><y{i}>{x + i}</y{i}>' for i, x in enumerate([1, 5, 9], 1))
    found = read(write(tmp_path / 'set', xml(more=f'<polygon>{points}</polygon>')))
    entry = found.splits['all'].data['annotations'][0]
    assert entry['segmentation'] == [[1, 2, 5, 7, 9, 12]]
    assert entry['bbox'] == [1, 2, 9, 18]


@pytest.mark.parametrize(
    ('stated', 'image', 'expected'),
    [
        ('a.png', 'a.png', 'a.png'),
        ('A.PNG', 'a.png', 'A.PNG'),
        ('renamed since.png', 'a.png', 'a.png'),
        ('a', 'a.png', 'a.png'),
        ('', 'a.png', 'a.png'),
        ('gone.png', 'other.png', 'gone.png'),
        ('', 'other.png', 'a'),
    ],
)
def test_the_images_name(stated: str, image: str, expected: str, tmp_path: Path) -> None:
    content = xml(head=f'<filename>{stated}</filename>')
    found = read(write(tmp_path / 'set', content, image=image))
    assert found.splits['all'].data['images'][0]['file_name'] == expected


@pytest.mark.parametrize(
    ('lists', 'expected'),
    [
        (('train', 'val', 'trainval', 'test'), {'train': 'train', 'val': 'val'}),
        (('trainval', 'test'), {'train': 'trainval', 'val': 'test'}),
        (('train', 'test'), {'train': 'train', 'val': 'test'}),
    ],
)
def test_lists(lists: tuple[str, ...], expected: dict[str, str], tmp_path: Path) -> None:
    parts = sample(tmp_path / 'source', lists)
    found = read(EXPORTS['VOC devkit'].write(tmp_path / 'set', parts, False))
    for part, name in expected.items():
        images = found.splits[part].data['images']
        assert [image['file_name'].split()[0] for image in images] == [name] * 3


def test_files_that_are_not_listed_are_left_out(tmp_path: Path) -> None:
    parts = sample(tmp_path / 'source')
    root = EXPORTS['VOC devkit'].write(tmp_path / 'set', parts, False)
    listed = root / 'ImageSets/Main/train.txt'
    listed.write_text('"train 10"\n"train 9" 1\nnone\n', encoding='utf-8')
    found = read(root)
    assert '1 names in ImageSets/Main/train.txt have no XML file, as none' in found.remarks
    images = found.splits['train'].data['images']
    assert [image['file_name'] for image in images] == ['train 10.png', 'train 9.png']


def test_images_without_a_file_are_left_out_and_counted(tmp_path: Path) -> None:
    root = write(tmp_path / 'set', xml())
    (root / 'z.png').touch()
    found = read(root)
    assert len(found.splits['all'].data['images']) == 1
    assert '1 image has no XML file and is left out, as z.png' in found.remarks


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('<annotation><object>', r'a\.xml is not valid XML: no element found at line 1'),
        ('<annotation>\n<object></name>', 'mismatched tag at line 2'),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + xml(), 'a document type'),
        ('<annotation>' + '<a>' * 100, 'elements nested deeper than 64'),
        (xml(name=''), r'a\.xml, object 1: it has no <name>'),
        ('<annotation><object><name>a</name></object></annotation>', 'it has no <bndbox>'),
        (xml(BOX.replace('>1<', '>x<')), "object 1: expected a number in <xmin>, got 'x'"),
        (xml(BOX.replace('>1<', '>nan<')), "expected a number in <xmin>, got 'nan'"),
        (xml(BOX[14:]), "expected a number in <xmin>, got ''"),
        ('<?xml version="1.0" encoding="klingon"?>' + xml(), 'unknown encoding'),
    ],
)
def test_faulty_files(content: str, message: str, tmp_path: Path) -> None:
    root = write(tmp_path / 'set', xml(), xml())
    (root / 'a.xml').write_text(content, encoding='utf-8')
    with pytest.raises(ValueError, match=message):
        read(root)


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    found = read(write(tmp_path / 'set', xml(), '<other/>'))
    assert 'b.xml is not used' in found.remarks


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'latin-1'])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    declared = {'latin-1': '<?xml version="1.0" encoding="ISO-8859-1"?>'}.get(encoding, '')
    root = write(tmp_path / 'set', '')
    content = declared + xml(name='<name>Bär</name>')
    (root / 'a.xml').write_bytes(content.encode(encoding))
    assert read(root).splits['all'].data['categories'] == [{'id': 1, 'name': 'Bär'}]
