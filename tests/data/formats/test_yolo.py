"""YOLO's label files, lists and data.yaml, with what people write into them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from effnet_dense.data.formats.detect import find_dataset
from effnet_dense.data.formats.found import FoundData
from effnet_dense.data.image_files import EXIF_ORIENTATION

SIZE = (64, 32)


def write(
    root: Path, label: str = '', yaml: str | None = 'names: [cat, ant]', **files: str
) -> None:
    """Write one image with its label file, and data.yaml."""
    for folder in ('images', 'labels'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    Image.new('RGB', SIZE).save(root / 'images/a.png')
    (root / 'labels/a.txt').write_text(label, encoding='utf-8')
    if yaml is not None:
        (root / 'data.yaml').write_text(yaml, encoding='utf-8')
    for name, content in files.items():
        (root / name.replace('_txt', '.txt')).write_text(content, encoding='utf-8')


def read(root: Path) -> FoundData:
    return find_dataset(root, root.parent / 'unpacked')


def objects(found: FoundData) -> list[tuple[str, list[float], object]]:
    data = found.splits['all'].data
    names = {category['id']: category['name'] for category in data['categories']}
    return [
        (names[entry['category_id']], entry['bbox'], entry.get('segmentation'))
        for entry in data['annotations']
    ]


BOX = [16.0, 8.0, 32.0, 16.0]
SQUARE = '.25 .25 .75 .25 .75 .75 .25 .75'
CORNERS = [16.0, 8.0, 48.0, 8.0, 48.0, 24.0, 16.0, 24.0]


@pytest.mark.parametrize(
    ('line', 'expected', 'said'),
    [
        ('1 .5 .5 .5 .5', ('ant', BOX, None), ''),
        ('1.0 .5 .5 .5 .5', ('ant', BOX, None), ''),
        ('1.000e+00 5e-1 .5 .5 .5', ('ant', BOX, None), ''),
        ('\n 0\t.5  .5 .5 .5 \n\n', ('cat', BOX, None), ''),
        ('0 .5 .5 .5 .5 .93', ('cat', BOX, None), 'a confidence, is ignored'),
        (f'0 {SQUARE}', ('cat', BOX, [CORNERS]), 'oriented boxes are written alike'),
        ('0 .25 .25 .75 .25 .75 .75', ('cat', BOX, [CORNERS[:6]]), ''),
    ],
)
def test_lines(line: str, expected: object, said: str, tmp_path: Path) -> None:
    write(tmp_path / 'set', line)
    found = read(tmp_path / 'set')
    assert objects(found) == [expected]
    assert any(said in remark for remark in found.remarks) == bool(said)


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('0 .5 .5 .5', 'expected a class and four numbers or more, got 4 columns'),
        ('0 .5 .5 .5 .5 .1 .1 .2', 'expected a class and x and y of each point, got 8 columns'),
        ('2 .5 .5 .5 .5', 'class 2 is none of the 2 named classes'),
        ('-1 .5 .5 .5 .5', "expected a class index, got '-1'"),
        ('0.5 .5 .5 .5 .5', "expected a class index, got '0.5'"),
        ('cat .5 .5 .5 .5', "expected a class index, got 'cat'"),
        ('nan .5 .5 .5 .5', "expected a class index, got 'nan'"),
        ('0 .5 .5 .5 x', "expected numbers, got 'x'"),
        ('0 .5 inf .5 .5', "expected numbers, got 'inf'"),
        ('0 320 200 50 40', 'expected shares of the image’s sides from 0 to 1, got 320'),
        ('0 1 2 300 4 5 6', 'expected shares of the image’s sides from 0 to 1, got 300'),
    ],
)
def test_faulty_lines(line: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / 'set', f'0 .5 .5 .5 .5\n{line}')
    with pytest.raises(ValueError, match=rf'labels/a\.txt, line 2: {message}'):
        read(tmp_path / 'set')


def test_boxes_among_polygons_have_masks(tmp_path: Path) -> None:
    write(tmp_path / 'set', f'0 {SQUARE}\n0 {SQUARE} .5 .9\n1 .5 .5 .5 .5')
    found = read(tmp_path / 'set')
    assert objects(found)[2] == ('ant', BOX, [CORNERS])
    assert found.remarks == ('1 box among polygons has its rectangle as mask',)


def test_of_pose_labels_boxes_are_taken(tmp_path: Path) -> None:
    write(tmp_path / 'set', '0 .5 .5 .5 .5 .1 .1 2 .2 .2 0', 'names: [cat]\nkpt_shape: [2, 3]')
    found = read(tmp_path / 'set')
    assert objects(found) == [('cat', BOX, None)]
    assert found.remarks == ('of pose labels, only the boxes are taken',)


def test_images_and_labels_without_each_other(tmp_path: Path) -> None:
    write(tmp_path / 'set', '0 .5 .5 .5 .5')
    Image.new('RGB', SIZE).save(tmp_path / 'set/images/b.png')
    (tmp_path / 'set/labels/c.txt').write_text('0 .5 .5 .5 .5', encoding='utf-8')
    found = read(tmp_path / 'set')
    assert [image['file_name'] for image in found.splits['all'].data['images']] == [
        'images/a.png',
        'images/b.png',
    ]
    assert '1 image has no label file: no objects' in found.remarks
    assert any('1 label file has no image, as ' in remark for remark in found.remarks)


def test_images_without_any_labels_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / 'set', yaml='train: images\nnames: [cat]')
    (tmp_path / 'set/labels/a.txt').unlink()
    with pytest.raises(ValueError, match='none of its 1 images has a label file'):
        read(tmp_path / 'set')


def test_shares_are_of_the_upright_image(tmp_path: Path) -> None:
    write(tmp_path / 'set', '0 .5 .5 .5 .25')
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    Image.new('RGB', SIZE).save(tmp_path / 'set/images/a.png', exif=exif)
    assert objects(read(tmp_path / 'set')) == [('cat', [8.0, 24.0, 16.0, 16.0], None)]


def test_a_broken_image_keeps_its_record(tmp_path: Path) -> None:
    write(tmp_path / 'set', '0 .5 .5 .5 .25')
    (tmp_path / 'set/images/a.png').write_bytes(b'x')
    data = read(tmp_path / 'set').splits['all'].data
    assert data['images'] == [{'id': 1, 'file_name': 'images/a.png'}]


@pytest.mark.parametrize(
    'yaml',
    [
        'train: images',
        'train: [images]',
        'train: ./images/',
        'train: ../images',
        'train: /content/datasets/fruit/images',
        'train: C:\\data\\fruit\\images',
        'path: ../datasets/fruit\ntrain: images',
        'path: /nowhere\ntrain: images',
        'train: train.txt',
        'train: images\ntest: images/none\nval:',
        '',
    ],
)
def test_paths_in_yaml(yaml: str, tmp_path: Path) -> None:
    lists = {'train_txt': '/content/fruit/images/a.png\n'} if 'txt' in yaml else {}
    write(tmp_path / 'set', '0 .5 .5 .5 .5', f'{yaml}\nnames: [cat]\nnc: 1', **lists)
    assert objects(read(tmp_path / 'set')) == [('cat', BOX, None)]


@pytest.mark.parametrize('entry', ['../outside', 'images/../../outside', '/outside'])
def test_no_path_leads_out_of_the_folder(entry: str, tmp_path: Path) -> None:
    write(tmp_path / 'outside', '0 .5 .5 .5 .5', yaml=None)
    write(tmp_path / 'set', '0 .5 .5 .5 .5', f'train: {entry}/images/deep\nnames: [cat]')
    with pytest.raises(FileNotFoundError, match='names no images that are in'):
        read(tmp_path / 'set')


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        ('names: [yes, no, 1]', ['yes', 'no', '1']),
        ('names:\n  10: ten\n  0: zero', ['zero', 'ten']),
        ('names: {0: "big bee"}', ['big bee']),
    ],
)
def test_names_are_kept_as_they_are_written(
    names: str, expected: list[str], tmp_path: Path
) -> None:
    write(tmp_path / 'set', '0 .5 .5 .5 .5', names)
    categories = read(tmp_path / 'set').splits['all'].data['categories']
    assert [category['name'] for category in categories] == expected


BOMB = 'a: &a [x, x, x, x, x, x, x, x, x]\n' + ''.join(
    f'{new}: &{new} [{", ".join(f"*{old}" for _ in range(9))}]\n'
    for old, new in zip('abcdefgh', 'bcdefghi', strict=True)
)


@pytest.mark.parametrize(
    ('yaml', 'message'),
    [
        ('names: [a, b', 'is not valid YAML'),
        ('names: [a, [b]]', 'expected a text as the name of class 1'),
        ('names: cat', 'expected names as a list, or as INDEX: NAME'),
        ('names: {x: cat}', 'expected names as a list, or as INDEX: NAME'),
        ('names: [a]\nnc: 2', 'nc differs from the number of names, 1'),
        ('names: [a, a]', "several classes have the name 'a'"),
        ('names: [a]\ntrain: {a: b}', "expected a path or a list of paths as 'train'"),
        ('names: [a]\nkpt_shape: 17', r'expected kpt_shape as \[number, 2 or 3\]'),
        (BOMB + 'names: *i', 'expected a text as the name of class 0'),
        ('names: [a]\ntrain: nowhere', 'names no images that are in .*: nowhere do not exist'),
    ],
)
def test_faulty_yaml(yaml: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / 'set', '0 .5 .5 .5 .5', yaml)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read(tmp_path / 'set')


def test_without_names_classes_are_numbers(tmp_path: Path) -> None:
    write(tmp_path / 'set', '7 .5 .5 .5 .5\n10 .5 .5 .5 .5', yaml=None)
    found = read(tmp_path / 'set')
    categories = found.splits['all'].data['categories']
    assert [category['name'] for category in categories] == ['7', '10']
    assert 'classes are called by their numbers' in found.remarks[0]


def test_text_beside_images_is_no_dataset(tmp_path: Path) -> None:
    write(tmp_path / 'set', 'a caption of five words', yaml=None)
    with pytest.raises(FileNotFoundError, match='Looked for'):
        read(tmp_path / 'set')
