"""A file that is no whole picture is an error that names it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import TRANSFORMS
from PIL import Image

import effnet_dense.data
from effnet_dense.data.transforms import jpeg_ends_early


@pytest.fixture
def picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0)


def load(path: Path, **options: object) -> dict | None:
    transform = TRANSFORMS.build({'type': 'effnet_dense.LoadImageFromFile', **options})
    return transform({'img_path': str(path)})


def test_is_ours_and_registered() -> None:
    built = TRANSFORMS.build({'type': 'effnet_dense.LoadImageFromFile'})
    assert type(built) is effnet_dense.data.LoadImageFromFile


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp', '.webp'])
def test_loads_what_mmcv_loads(tmp_path: Path, picture: np.ndarray, suffix: str) -> None:
    path = tmp_path / f'a{suffix}'
    cv2.imwrite(str(path), picture)
    ours = load(path, to_float32=True)
    mmcvs = TRANSFORMS.build({'type': 'LoadImageFromFile', 'to_float32': True})(
        {'img_path': str(path)}
    )
    assert ours['img'].dtype == np.float32
    np.testing.assert_array_equal(ours['img'], mmcvs['img'])
    assert ours['img_shape'] == mmcvs['img_shape'] == ours['ori_shape'] == (40, 60)


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp', '.webp'])
@pytest.mark.parametrize('part', [0.0, 0.02, 0.5, 0.95])
def test_truncated(tmp_path: Path, picture: np.ndarray, suffix: str, part: float) -> None:
    content = cv2.imencode(suffix, picture)[1].tobytes()
    path = tmp_path / f'a{suffix}'
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match=rf'cannot decode image .*a\{suffix}: '):
        load(path)
    assert load(path, ignore_empty=True) is None


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_no_picture(tmp_path: Path, backend: str) -> None:
    path = tmp_path / 'a.jpg'
    path.write_text('<html>404</html>')
    with pytest.raises(ValueError, match=r'cannot decode image .*a\.jpg'):
        load(path, imdecode_backend=backend)


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / 'a.jpg'
    path.touch()
    with pytest.raises(ValueError, match=r'cannot decode image .*a\.jpg: the file is empty'):
        load(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'gone\.jpg'):
        load(tmp_path / 'gone.jpg')
    assert load(tmp_path / 'gone.jpg', ignore_empty=True) is None


@pytest.mark.parametrize('progressive', [False, True])
def test_jpeg_end_is_looked_for_behind_the_preview(
    tmp_path: Path, picture: np.ndarray, progressive: bool
) -> None:
    preview = cv2.imencode('.jpg', picture[:8, :8])[1].tobytes()  # has an end marker itself
    path = tmp_path / 'a.jpg'
    exif = b'Exif\x00\x00' + preview
    Image.fromarray(picture).save(path, quality=95, progressive=progressive, exif=exif)
    content = path.read_bytes()
    assert content.count(b'\xff\xd9') == 2
    assert not jpeg_ends_early(content)
    assert not jpeg_ends_early(content + b'appended \xff\xda by a camera')
    scan = content.index(b'\xff\xda', content.index(preview) + len(preview))
    for length in (scan - 20, scan + 10, len(content) - 2):
        assert jpeg_ends_early(content[:length])
