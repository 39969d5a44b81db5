"""Images of one, two, four and more bands: to the value, by the loader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from effnet_dense.data import LoadImageFromFile
from effnet_dense.data.image_errors import BadImageError
from effnet_dense.data.image_files import image_size

HEIGHT, WIDTH = 24, 40


def bands(count: int, dtype: Any = np.uint8) -> np.ndarray:
    draw = np.random.default_rng(count)
    return draw.integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, count), dtype=dtype)


def load(path: Path, **options: Any) -> np.ndarray:
    results = LoadImageFromFile(**options).transform({'img_path': str(path)})
    assert results is not None and results['img_shape'] == results['ori_shape'] == (HEIGHT, WIDTH)
    return np.asarray(results['img'])


def tiff(planar: str) -> Callable[[Path, np.ndarray], None]:
    def write(path: Path, values: np.ndarray) -> None:
        tifffile = pytest.importorskip('tifffile')
        planes = values if planar == 'contig' else np.moveaxis(values, -1, 0)
        tifffile.imwrite(path, planes, photometric='minisblack', planarconfig=planar)

    return write


def pages(path: Path, values: np.ndarray) -> None:
    tifffile = pytest.importorskip('tifffile')
    tifffile.imwrite(path, np.moveaxis(values, -1, 0), photometric='minisblack')


WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    'interleaved.tif': tiff('contig'),
    'planes.tif': tiff('separate'),
    'pages.tif': pages,
    'last.npy': np.save,
    'first.npy': lambda path, values: np.save(path, np.moveaxis(values, -1, 0)),
}


@pytest.mark.parametrize('name', WRITERS)
@pytest.mark.parametrize('count', [2, 4, 5, 8])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_bands(name: str, count: int, dtype: Any, tmp_path: Path) -> None:
    values = bands(count, dtype)
    WRITERS[name](tmp_path / name, values)
    found = load(tmp_path / name, channels=count)
    np.testing.assert_array_equal(found, values if dtype == np.uint8 else values // 256)
    if name != 'pages.tif':
        assert image_size(tmp_path / name) == (WIDTH, HEIGHT)


def test_stated_range(tmp_path: Path) -> None:
    values = bands(5, np.uint16) // 16
    np.save(tmp_path / 'a.npy', values)
    found = load(tmp_path / 'a.npy', channels=5, image_range=4095)
    np.testing.assert_array_equal(found, values // 16)


def test_png_of_four_bands(tmp_path: Path) -> None:
    values = bands(4)
    Image.fromarray(values).save(tmp_path / 'a.png')
    np.testing.assert_array_equal(load(tmp_path / 'a.png', channels=4), values)


def test_one_band(tmp_path: Path) -> None:
    grey, colours = bands(1)[..., 0], bands(3)
    cv2.imwrite(str(tmp_path / 'grey.png'), grey)
    cv2.imwrite(str(tmp_path / 'colours.png'), colours)
    np.save(tmp_path / 'a.npy', grey)
    for name in ('grey.png', 'a.npy'):
        np.testing.assert_array_equal(load(tmp_path / name, channels=1), grey)
    expected = cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)
    assert np.abs(load(tmp_path / 'colours.png', channels=1).astype(int) - expected).max() <= 1


def test_another_number_of_bands(tmp_path: Path) -> None:
    np.save(tmp_path / 'a.npy', bands(5))
    cv2.imwrite(str(tmp_path / 'a.png'), bands(3))
    for name, count in (('a.npy', 5), ('a.png', 3)):
        with pytest.raises(BadImageError, match=f'expected 4 bands, got {count}'):
            load(tmp_path / name, channels=4)


def test_objects_in_arrays_are_not_run(tmp_path: Path) -> None:
    np.save(tmp_path / 'a.npy', np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(BadImageError, match=r'a\.npy.*allow_pickle=False'):
        load(tmp_path / 'a.npy', channels=4)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'channels': 0}, 'channels as a number from 1, got 0'),
        ({'channels': '4'}, "from 1, got '4'"),
        ({'channels': 4, 'color_type': 'unchanged'}, 'no color_type .* with channels=4'),
        ({'channels': 4, 'imdecode_backend': 'tifffile'}, "got 'color' and 'tifffile'"),
    ],
)
def test_faulty_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LoadImageFromFile(**options)
    assert repr(LoadImageFromFile(channels=4)).endswith('channels=4)')
