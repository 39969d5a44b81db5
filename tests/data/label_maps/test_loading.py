"""`LoadLabelMap` compared with mmseg's `LoadAnnotations` where that reads correctly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.registry import TRANSFORMS as ROOT
from mmengine.registry import DefaultScope
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

import effnet_dense.data
from effnet_dense.data import LoadLabelMap
from effnet_dense.data.label_maps.loading import label_table
from tests.helpers.label_folder import label, write_label
from tests.helpers.label_images import VALUES, palette_image, png


def load(path: Path, results: dict[str, Any] | None = None, **options: Any) -> np.ndarray:
    sample = {'seg_map_path': str(path), 'seg_fields': [], 'reduce_zero_label': False}
    sample |= results or {}
    loaded = LoadLabelMap(**options)(sample)
    assert loaded['seg_fields'] == ['gt_seg_map']
    return loaded['gt_seg_map']


def mmsegs(path: Path, results: dict[str, Any] | None = None) -> np.ndarray:
    sample = {'seg_map_path': str(path), 'seg_fields': [], 'reduce_zero_label': False}
    return LoadAnnotations()(sample | (results or {}))['gt_seg_map']


@pytest.mark.parametrize('part', [0.1, 0.5, 0.9])
def test_truncated(tmp_path: Path, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 200, (40, 60), dtype=np.uint8)
    content = write_label(tmp_path / 'a.png', noise).read_bytes()
    (tmp_path / 'a.png').write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match=r'cannot read label map .*a\.png: '):
        load(tmp_path / 'a.png')


def test_is_ours_and_registered() -> None:
    with DefaultScope.overwrite_default_scope('mmseg'):
        built = ROOT.build({'type': 'effnet_dense.LoadLabelMap', 'num_classes': 4})
    assert type(built) is effnet_dense.data.LoadLabelMap
    assert repr(built) == 'LoadLabelMap(num_classes=4, ignore=255, backend_args=None)'


@pytest.mark.parametrize('reduce_zero_label', [False, True])
@pytest.mark.parametrize('label_map', [None, {0: 255, 1: 0, 2: 2, 3: 1}])
def test_equals_mmseg_where_that_is_right(
    tmp_path: Path, reduce_zero_label: bool, label_map: dict[int, int] | None
) -> None:
    values = np.array([[0, 1, 2, 3, 4], [254, 255, 128, 0, 1]], dtype=np.uint8)
    write_label(tmp_path / 'grey.png', values)
    palette = palette_image(np.minimum(values, 3))
    palette.save(tmp_path / 'palette.png')
    results = {'reduce_zero_label': reduce_zero_label, 'label_map': label_map}
    for name in ('grey.png', 'palette.png'):
        ours = load(tmp_path / name, results)
        assert ours.dtype == np.uint8
        np.testing.assert_array_equal(ours, mmsegs(tmp_path / name, results))


def test_what_mmseg_makes_of_other_files(tmp_path: Path) -> None:
    """Why `LoadAnnotations` is replaced: nothing of this is an error there."""
    deep = tmp_path / 'deep.png'
    Image.fromarray(np.array([[1, 256, 258], [0, 0, 0]], dtype=np.uint16)).save(deep)
    assert mmsegs(deep).tolist() == [[1, 0, 2], [0, 0, 0]]
    with pytest.raises(ValueError, match=r'deep\.png.*got 256 \(1 pixels\), 258 \(1 pixels\)'):
        load(deep)
    few_bits = tmp_path / 'few_bits.png'
    few_bits.write_bytes(png(VALUES, 4))
    assert mmsegs(few_bits).max() == 51
    np.testing.assert_array_equal(load(few_bits), VALUES)
    colour = tmp_path / 'colour.png'
    write_label(colour, np.stack([VALUES] * 3, axis=-1))
    assert mmsegs(colour).shape == (3, 4, 3)
    np.testing.assert_array_equal(load(colour), VALUES)


def test_ignored_value_becomes_255(tmp_path: Path) -> None:
    path = write_label(tmp_path / 'a.png', label(0, 1, 2, 9))
    assert np.unique(load(path, num_classes=3, ignore=9)).tolist() == [0, 1, 2, 255]
    deep = tmp_path / 'deep.png'
    Image.fromarray(np.array([[0, 65535]], dtype=np.uint16)).save(deep)
    assert load(deep, num_classes=2, ignore=65535).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'num_classes': 3}, r'classes 0 to 2 \(255 is ignored\), got 3 \(24 pixels\)'),
        (
            {'num_classes': 2, 'ignore': 3},
            r'classes 0 to 1 \(3 is ignored\), got 255 \(24 pixels\)',
        ),
        (
            {'num_classes': 3, 'ignore': None},
            r'classes 0 to 2 \(no value is ignored\), got 3 \(24 pixels\), 255 \(24 pixels\)',
        ),
    ],
)
def test_values_that_are_no_class(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    path = write_label(tmp_path / 'a.png', label(3, 255))
    with pytest.raises(ValueError, match=rf'label map .*a\.png: expected {words}'):
        load(path, **options)


def test_classes_are_counted_after_zero_is_dropped(tmp_path: Path) -> None:
    path = write_label(tmp_path / 'a.png', label(0, 3))
    assert set(load(path, {'reduce_zero_label': True}, num_classes=3).ravel()) == {255, 2}
    with pytest.raises(ValueError, match=r'got 3 \(24 pixels\)'):
        load(path, {'reduce_zero_label': True}, num_classes=2)


def test_table_by_hand() -> None:
    table = label_table(6, 2, 5, reduce_zero_label=True, label_map={0: 1, 1: 255, 2: 0})
    assert table.tolist() == [255, 1, 255, 0, -1, 255]
    table = label_table(257, None, None, reduce_zero_label=True, label_map={})
    assert table[[0, 1, 254, 255, 256]].tolist() == [255, 0, 253, 255, -1]


def test_size_of_the_image(tmp_path: Path) -> None:
    path = write_label(tmp_path / 'a.png', label(0, 1))
    resized = {'img': np.zeros((30, 40, 3)), 'img_shape': (30, 40)}
    load(path, resized | {'ori_shape': (6, 8)})  # as test pipelines have it
    with pytest.raises(ValueError, match=r'a\.png is 8 × 6 pixels .*, its image 6 × 8'):
        load(path, resized | {'ori_shape': (8, 6)})


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'gone\.png'):
        load(tmp_path / 'gone.png')


@pytest.mark.parametrize('number', [0, 256])
def test_number_of_classes(number: int) -> None:
    with pytest.raises(ValueError, match=f'expected 1 to 255 classes, got num_classes={number}'):
        LoadLabelMap(num_classes=number)


def test_camvid_compared_with_mmseg(shared_data: Path) -> None:
    path = sorted((shared_data / 'camvid/labels/val').glob('*.png'))[0]
    plain = mmsegs(path)
    ours = load(path, num_classes=11, ignore=11)
    np.testing.assert_array_equal(ours, np.where(plain == 11, 255, plain))
    np.testing.assert_array_equal(plain, cv2.imread(str(path), cv2.IMREAD_UNCHANGED))


@pytest.mark.parametrize('given', [None, True])
def test_reduce_zero_label_as_in_mmseg(tmp_path: Path, given: bool | None) -> None:
    path = write_label(tmp_path / 'a.png', label(0, 1, 2, 255))
    sample = {'reduce_zero_label': True}
    found = load(path, sample, reduce_zero_label=given)
    np.testing.assert_array_equal(found, mmsegs(path, sample))
    np.testing.assert_array_equal(np.unique(found), [0, 1, 255])


def test_reduce_zero_label_that_the_dataset_does_not_have(tmp_path: Path) -> None:
    path = write_label(tmp_path / 'a.png', label(0, 1))
    with pytest.raises(ValueError, match='reduce_zero_label is False in the dataset, but True'):
        load(path, reduce_zero_label=True)
