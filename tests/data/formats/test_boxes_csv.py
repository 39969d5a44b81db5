"""Tables of boxes with all kinds of columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from effnet_dense.data.formats.detect import find_dataset
from effnet_dense.data.formats.found import FoundData

BOX = [16.0, 8.0, 32.0, 16.0]


def read(root: Path, text: str, name: str = 'boxes.csv') -> FoundData:
    root.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (64, 32)).save(root / 'a.png')
    (root / name).write_text(text, encoding='utf-8')
    return find_dataset(root, root.parent / 'unpacked')


@pytest.mark.parametrize(
    ('header', 'line'),
    [
        ('filename,width,height,class,xmin,ymin,xmax,ymax', 'a.png,64,32,cat,16,8,48,24'),
        ('class,ymax,ymin,xmax,xmin,filename', 'cat,24,8,48,16,a.png'),
        ('image_id;label;x;y;w;h', 'a.png;cat;16;8;32;16'),
        ('Image Name\tCategory\tLeft\tTop\tRight\tBottom', 'a.png\tcat\t16\t8\t48\t24'),
        ('path,x0,y0,x1,y1,label', 'x/a.png,16,8,48,24,cat'),
        ('image_path,x1,y1,x2,y2,class_name', 'x/a.png,16,8,48,24,cat'),
        (
            'label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width,image_height',
            'cat,16,8,32,16,a.png,64,32',
        ),
        ('xmin,ymin,width,height,file,name', '16,8,32,16,a.png,cat'),
        ('image_id,width,height,bbox,label', 'a,64,32,"[16.0, 8.0, 32.0, 16.0]",cat'),
        ('ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf', 'a,cat,0.25,0.75,0.25,0.75,0'),
        ('', 'a.png,16,8,48,24,cat'),
        ('', 'x/a.png, 16, 8, 48, 24, cat'),
    ],
)
def test_columns(header: str, line: str, tmp_path: Path) -> None:
    data = read(tmp_path / 'set', f'{header}\n{line}\n').splits['all'].data
    assert [image['file_name'].split('/')[-1] for image in data['images']] == ['a.png']
    assert [category['name'] for category in data['categories']] == ['cat']
    (entry,) = data['annotations']
    assert entry['bbox'] == pytest.approx(BOX)
    assert entry['iscrowd'] == 0


def test_without_a_class_there_is_one(tmp_path: Path) -> None:
    found = read(tmp_path / 'set', 'image_id,bbox\na,"[16, 8, 32, 16]"\n')
    assert [c['name'] for c in found.splits['all'].data['categories']] == ['object']
    assert "there is no column for the class: all boxes are of one, 'object'" in found.remarks


def test_groups_of_objects_are_crowds(tmp_path: Path) -> None:
    text = 'ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\na,cat,0.25,0.75,0.25,0.75,1\n'
    found = read(tmp_path / 'set', text)
    assert found.splits['all'].data['annotations'][0]['iscrowd'] == 1
    assert 'coordinates are shares of the image’s sides, as in Open Images' in found.remarks


def test_lines_without_a_box_are_images_without_objects(tmp_path: Path) -> None:
    data = read(tmp_path / 'set', 'b.png,,,,,\na.png,16,8,48,24,cat\n').splits['all'].data
    assert [image['file_name'] for image in data['images']] == ['b.png', 'a.png']
    assert [entry['image_id'] for entry in data['annotations']] == [2]


def test_parts_in_a_column(tmp_path: Path) -> None:
    lines = [f'{part}{i}.png,{part},{i},1,9,9' for part in ('train', 'valid') for i in (1, 2)]
    found = read(tmp_path / 'set', 'image,split,x1,y1,x2,y2\n' + '\n'.join(lines))
    assert {part: len(split.data['images']) for part, split in found.splits.items()} == {
        'train': 2,
        'val': 2,
    }


def test_numbers_as_classes_are_sorted_by_value(tmp_path: Path) -> None:
    lines = [f'a.png,{label},1,1,9,9' for label in (10, 9, 2)]
    found = read(tmp_path / 'set', 'image,label,x1,y1,x2,y2\n' + '\n'.join(lines))
    categories = found.splits['all'].data['categories']
    assert [category['name'] for category in categories] == ['2', '9', '10']


HEAD = 'image,label,x1,y1,x2,y2\na.png,cat,1,2,3,4\n'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (HEAD + 'a.png,cat,1,2,3', r'boxes\.csv, line 3: expected 6 columns or more, got 5'),
        (HEAD + 'a.png,cat,1,2,3,x', "line 3: expected a number as bottom, got 'x'"),
        (HEAD + 'a.png,cat,1,2,3,nan', "line 3: expected a number as bottom, got 'nan'"),
        (HEAD + 'a.png,cat,1,,3,4', "line 3: expected a number as top, got ''"),
        (HEAD + ',cat,1,2,3,4', 'line 3: the name of the image is missing'),
        (HEAD + '\n\n"a' + 'x' * 200_000, 'field larger than field limit'),
        ('image,bbox\na,"[1, 2, 3]"', r'line 2: expected \[x, y, width, height\]'),
        ('image,label,x1,y1,x2,y2\n', 'has no lines with images'),
    ],
)
def test_faulty_tables(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path / 'set', text)


def test_two_tables_are_an_error(tmp_path: Path) -> None:
    (tmp_path / 'set').mkdir()
    (tmp_path / 'set/a.csv').write_text(HEAD, encoding='utf-8')
    with pytest.raises(ValueError, match=r'several CSV files .* for one part: a\.csv, boxes'):
        read(tmp_path / 'set', HEAD)


@pytest.mark.parametrize('text', ['name,id\ncat,1', 'image,label\na.png,cat', 'a.txt,1,2,3,4,cat'])
def test_other_tables_are_left_alone(text: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='Looked for'):
        read(tmp_path / 'set', text)
