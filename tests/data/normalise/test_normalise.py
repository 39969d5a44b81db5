"""Every fault that can be derived is repaired and reported; a perfect detector scores AP 1."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from effnet_dense.data.coco.folder import find_coco
from effnet_dense.data.normalise.repairs import Record
from tests.helpers.coco_folder import tiny_coco, write_folder
from tests.helpers.oracle import oracle

Change = Callable[[Record], None]


def each(key: str, **values: Any) -> Change:
    """Set, or with `...` remove, fields of all records; functions are given the old value."""

    def change(data: Record) -> None:
        for record in data[key]:
            for field, value in values.items():
                if value is ...:
                    record.pop(field, None)
                else:
                    record[field] = value(record[field]) if callable(value) else value

    return change


def all_of(*changes: Change) -> Change:
    return lambda data: [change(data) for change in changes] and None


def ids_from_zero(data: Record) -> None:
    for i, entry in enumerate(data['annotations']):
        entry['id'] = i


def root_category(data: Record) -> None:
    for entry in data['categories']:
        entry['supercategory'] = 'pets'
    data['categories'].insert(0, {'id': 0, 'name': 'pets', 'supercategory': 'none'})


def renamed_to(key: str, form: str) -> Change:
    """Move `file_name` to another key."""

    def change(data: Record) -> None:
        for image in data['images']:
            image[key] = form.format(image.pop('file_name'))

    return change


def run_lengths(data: Record) -> None:
    """Masks of the boxes' pixels, as run lengths, as CVAT exports them."""
    from tests.helpers.export_source import decoded, encoded

    images = {image['id']: image for image in data['images']}
    for entry in data['annotations']:
        entry['segmentation'] = encoded(decoded(entry, images[entry['image_id']]))
        entry['iscrowd'] = 1


TEXT_IDS = all_of(
    each('images', id=lambda v: f'img-{v}'),
    each('annotations', image_id=lambda v: f'img-{v}'),
)
FAULTS: dict[str, tuple[Change, str]] = {
    'no annotation ids': (each('annotations', id=...), "annotation without 'id'"),
    'annotation ids repeat': (each('annotations', id=7), "'id' of annotations, now"),
    'annotation ids from 0': (ids_from_zero, 'annotation with id 0'),
    'annotation ids as text': (each('annotations', id=str), "'id' of annotations, now"),
    'image ids as text': (
        all_of(each('images', id=str), each('annotations', image_id=str)),
        "'id' of images, now an integer",
    ),
    'image ids as decimals': (each('images', id=float), "'id' of images, now an integer"),
    'references as text': (each('annotations', image_id=str), "'image_id' of annotations follows"),
    'references as decimals': (
        each('annotations', category_id=float),
        "'category_id' of annotations follows",
    ),
    'image ids are words': (TEXT_IDS, "'id' of images, now an integer"),
    'references by file name': (
        each('annotations', image_id=lambda v: {12: 'a.png', 5: 'b'}[v]),
        "'image_id' of annotations follows",
    ),
    'references by class name': (
        each('annotations', category_id=lambda v: {90: 'cat', 7: 'ant', 30: 'bee'}[v]),
        "'category_id' of annotations follows",
    ),
    'category ids as text': (
        all_of(each('categories', id=str), each('annotations', category_id=str)),
        "'id' of categories, now an integer",
    ),
    'huge ids': (
        all_of(
            each('images', id=lambda v: v + 2**70),
            each('annotations', image_id=lambda v: v + 2**70),
        ),
        "'id' of images, now an integer",
    ),
    'an image twice': (lambda d: d['images'].append(dict(d['images'][0])), 'listed twice'),
    'a category twice': (
        lambda d: d['categories'].append(dict(d['categories'][0])),
        'listed twice',
    ),
    'no iscrowd': (each('annotations', iscrowd=...), "annotation without 'iscrowd'"),
    'iscrowd as text': (each('annotations', iscrowd='0'), "'iscrowd', now 0 or 1"),
    'no area': (each('annotations', area=...), "which is its mask's"),
    'area 0, no mask': (each('annotations', area=0, segmentation=[]), "which is its box's"),
    'no boxes': (each('annotations', bbox=...), "without a usable 'bbox'"),
    'empty boxes': (each('annotations', bbox=[0, 0, 0, 0]), "without a usable 'bbox'"),
    'boxes as text': (each('annotations', bbox=lambda v: [*map(str, v)]), "'bbox' of text"),
    'flat polygons': (each('annotations', segmentation=lambda v: v[0]), 'no list of polygons'),
    'no sizes': (each('images', width=..., height=...), "size, from the image's header"),
    'sizes of 0': (each('images', width=0, height=0), "size, from the image's header"),
    'sizes as text': (each('images', width=str, height=str), 'size, now of integers'),
    'numeric names': (
        lambda d: [e.update(name=i) for i, e in enumerate(d['categories'])] and None,
        'class name, now text',
    ),
    'spaces around names': (each('categories', name=lambda v: f' {v}\n'), 'class name, now text'),
    'Roboflow root': (root_category, 'category above all others without an object'),
    'all crowds': (run_lengths, "'iscrowd': 1 in a dataset of nothing else"),
    'images/ before names': (each('images', file_name=lambda v: f'images/{v}'), 'file name'),
    'backslashes': (each('images', file_name=lambda v: f'data\\x\\{v}'), 'file name'),
    'foreign paths': (each('images', file_name=lambda v: f'/home/me/set/{v}'), 'file name'),
    'drives': (each('images', file_name=lambda v: f'C:\\Users\\me\\{v}'), 'file name'),
    'another case': (each('images', file_name=str.upper), 'file name'),
    'another suffix': (each('images', file_name=lambda v: v.replace('png', 'jpg')), 'file name'),
    'no suffix': (each('images', file_name=lambda v: v.replace('.png', '')), 'file name'),
    'named by a URL': (
        renamed_to('coco_url', 'http://images.cocodataset.org/train2017/{}'),
        'without file_name, named by its coco_url',
    ),
    'named by a path': (renamed_to('path', '/home/me/set/{}'), 'named by its path'),
    'a title beside a URL': (
        all_of(renamed_to('url', 'gs://bucket/{}?sig=a.png#b'), each('images', name='street')),
        'without file_name, named by its url',
    ),
    'an empty name beside a file URL': (
        all_of(renamed_to('path', 'file:///C:/set/{}'), each('images', file_name='')),
        'without file_name, named by its path',
    ),
    'no host that a parser takes': (
        renamed_to('coco_url', 'http://[set/{}'),
        'without file_name, named by its coco_url',
    ),
    "Roboflow's hash": (
        each('images', file_name=lambda v: v.replace('.png', '_png.rf.0f3c9a.png')),
        'file name',
    ),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_repaired_with_ap_1(fault: str, tmp_path: Path) -> None:
    change, words = FAULTS[fault]
    data = tiny_coco()
    change(data)
    root = write_folder(tmp_path / 'set', data, data)
    before = (root / 'annotations/val.json').read_bytes()
    masks = 'mask' not in fault and fault != 'an image twice'
    found = oracle(root, tmp_path / 'run', masks)
    assert found.perfect, found.ap
    repairs = [str(repair) for part in found.source.repairs.values() for repair in part]
    assert any(words in repair for repair in repairs), repairs
    assert words in found.source.summary()
    assert found.source.splits['val'].ann_file == tmp_path / 'run/data/val.json'
    assert (root / 'annotations/val.json').read_bytes() == before


def test_sound_data_is_used_as_it_is(tmp_path: Path) -> None:
    root = write_folder(tmp_path / 'set')
    found = oracle(root, tmp_path / 'run', masks=True)
    assert found.perfect and not found.source.repairs
    assert found.source.splits['val'].ann_file == root / 'annotations/val.json'
    assert not (tmp_path / 'run/data/val.json').exists()


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'utf-16-le'])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    root = write_folder(tmp_path / 'set')
    (root / 'annotations/val.json').write_text(json.dumps(tiny_coco()), encoding=encoding)
    found = oracle(root, tmp_path / 'run')
    assert found.perfect
    assert 'is encoded as UTF' in found.source.summary()


@pytest.mark.parametrize(
    ('named', 'stored'),
    [('caf\u00e9 1.png', 'cafe\u0301 1.png'), ('a%20b%C3%A9.png', 'a b\u00e9.png')],
)
def test_names_in_other_letters(named: str, stored: str, tmp_path: Path) -> None:
    data = tiny_coco()
    data['images'][0]['file_name'] = named
    root = write_folder(tmp_path / 'set', data, data)
    for part in ('train', 'val'):
        os.rename(root / f'images/{part}/a.png', root / f'images/{part}/{stored}')
    found = oracle(root, tmp_path / 'run')
    assert found.perfect
    assert f'{named} → {stored}' in found.source.summary()


def test_a_subset_of_classes_in_val(tmp_path: Path) -> None:
    val = tiny_coco()
    val['categories'] = [{'id': 1, 'name': 'bee'}]
    val['annotations'] = [{**val['annotations'][2], 'category_id': 1}]
    val['images'] = val['images'][1:]
    found = oracle(write_folder(tmp_path / 'set', tiny_coco(), val), tmp_path / 'run')
    assert found.perfect
    assert found.source.classes == ('cat', 'ant', 'bee')
    assert "class of train that val does not list, added: 'cat', 'ant'" in found.source.summary()


def test_ambiguous_names_are_not_guessed(tmp_path: Path) -> None:
    """`a` may be either image; a name of one part is no name of the other's image."""
    data = tiny_coco()
    data['images'][0]['file_name'] = 'x/c.jpg'
    root = write_folder(tmp_path / 'set', data, tiny_coco())
    for folder in ('y', 'z'):
        (root / 'images/train' / folder).mkdir()
        os.link(root / 'images/train/a.png', root / f'images/train/{folder}/c.png')
    with pytest.raises(FileNotFoundError, match=r"'x/c.jpg' may be any of .*c\.png"):
        oracle(root, tmp_path / 'run')


def test_did_you_mean(tmp_path: Path) -> None:
    data = tiny_coco()
    data['images'][0]['file_name'] = 'streeet.png'
    root = write_folder(tmp_path / 'set', data, tiny_coco())
    os.rename(root / 'images/train/a.png', root / 'images/train/street.png')
    with pytest.raises(FileNotFoundError, match=r"did you mean 'street\.png'"):
        oracle(root, tmp_path / 'run')


def test_images_in_several_folders(tmp_path: Path) -> None:
    """mmdet looks all images up in one folder."""
    root = write_folder(tmp_path / 'set')
    (root / 'images/train/b.png').rename(root / 'images/b.png')
    found = oracle(root, tmp_path / 'run')
    assert found.perfect
    assert 'a.png → train/a.png' in found.source.summary()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 100),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from([2**70, '7', '12', 5.0, 'a.png', 'x/b.png', '\0', '\ud800', 1e300, '1e3', []]),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=8), st.lists(st.lists(SCALARS, max_size=8)))
FIELDS = [(key, field) for key, records in tiny_coco().items() for field in records[0]]


@given(
    st.lists(st.tuples(st.sampled_from(FIELDS), st.integers(0, 3), VALUES), min_size=1, max_size=4),
    st.booleans(),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_anything_is_an_error_or_has_ap_1_or_a_warning(
    tmp_path: Path, changes: list[tuple[tuple[str, str], int, Any]], both: bool
) -> None:
    data = tiny_coco()
    for (key, field), number, value in changes:
        data[key][number % len(data[key])][field] = value
    with tempfile.TemporaryDirectory(dir=tmp_path) as place:
        root = write_folder(Path(place, 'set'), data if both else tiny_coco(), data)
        try:
            found = oracle(root, Path(place, 'run'))
        except (ValueError, FileNotFoundError) as error:
            assert str(error)
            return
        assert found.perfect or 'warning: ' in found.source.summary()


def test_a_label_map_does_not_take_a_missing_images_place(tmp_path: Path) -> None:
    """The demo has labels/train/NAME.png beside images/train/NAME.jpg."""
    folder = write_folder(tmp_path / 'set')
    (folder / 'masks').mkdir()
    image = next(folder.glob('images/**/a.*'))
    image.rename(folder / 'masks' / 'a.tif')
    with pytest.raises(FileNotFoundError, match='missing'):
        find_coco(folder)


@pytest.mark.parametrize('value', [5, ['a.png'], '', None, 'https://host'])
def test_images_without_any_name(tmp_path: Path, value: Any) -> None:
    data = tiny_coco()
    for image in data['images']:
        del image['file_name']
        image['coco_url'] = value
    folder = write_folder(tmp_path / 'set', data, data)
    with pytest.raises(FileNotFoundError, match='expected file_name, or a text as one of filename'):
        find_coco(folder)


def test_a_missing_image_is_named_by_its_url(tmp_path: Path) -> None:
    data = tiny_coco()
    for number, image in enumerate(data['images']):
        del image['file_name']
        image['coco_url'] = f'http://host/none%00{number}.png'
    folder = write_folder(tmp_path / 'set', data, data)
    with pytest.raises(FileNotFoundError, match=r'expected none\\x000\.png in'):
        find_coco(folder)
