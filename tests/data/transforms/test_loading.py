"""Images are loaded as mmcv does; errors name files that are not complete images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import TRANSFORMS
from PIL import Image, ImageOps

import effnet_dense.data
from effnet_dense.data.transforms.loading import jpeg_ends_early


@pytest.fixture
def image() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (5, 5), 0)


def load(path: Path, **options: object) -> dict | None:
    transform = TRANSFORMS.build({'type': 'effnet_dense.LoadImageFromFile', **options})
    return transform({'img_path': str(path)})


def test_is_ours_and_registered() -> None:
    built = TRANSFORMS.build({'type': 'effnet_dense.LoadImageFromFile'})
    assert type(built) is effnet_dense.data.LoadImageFromFile


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp', '.webp'])
def test_loads_what_mmcv_loads(tmp_path: Path, image: np.ndarray, suffix: str) -> None:
    path = tmp_path / f'a{suffix}'
    cv2.imwrite(str(path), image)
    ours = load(path, to_float32=True)
    mmcvs = TRANSFORMS.build({'type': 'LoadImageFromFile', 'to_float32': True})(
        {'img_path': str(path)}
    )
    assert ours['img'].dtype == np.float32
    np.testing.assert_array_equal(ours['img'], mmcvs['img'])
    assert ours['img_shape'] == mmcvs['img_shape'] == ours['ori_shape'] == (40, 60)


def grey_ramp() -> Image.Image:
    return Image.fromarray(np.arange(0, 240, dtype=np.uint8).reshape(12, 20))


def bgr(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert('RGB'))[..., ::-1]


def test_grey_palette_and_alpha_become_three_channels(tmp_path: Path, image: np.ndarray) -> None:
    colours = Image.fromarray(image)
    palette = colours.quantize(16)
    alpha = colours.copy()
    alpha.putalpha(100)
    grey_alpha = grey_ramp().copy()
    grey_alpha.putalpha(0)
    kinds = dict(grey=grey_ramp(), palette=palette, alpha=alpha, grey_alpha=grey_alpha)
    expected = dict(grey=grey_ramp(), palette=palette, alpha=colours, grey_alpha=grey_ramp())
    for name, image in kinds.items():
        image.save(tmp_path / f'{name}.png')
        got = load(tmp_path / f'{name}.png')['img']
        np.testing.assert_array_equal(got, bgr(expected[name]), err_msg=name)


def test_a_bit_per_pixel_is_black_and_white(tmp_path: Path) -> None:
    image = grey_ramp().point(lambda value: 255 * (value > 100)).convert('1')
    image.save(tmp_path / 'bits.png')
    np.testing.assert_array_equal(load(tmp_path / 'bits.png')['img'], bgr(image))


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_16_bits_are_divided_by_256(tmp_path: Path, suffix: str) -> None:
    values = np.arange(0, 65536, 273, dtype=np.uint16)[:240].reshape(12, 20)
    cv2.imwrite(str(tmp_path / f'deep{suffix}'), values)
    got = load(tmp_path / f'deep{suffix}')['img']
    np.testing.assert_array_equal(got, np.repeat((values // 256)[..., None], 3, axis=2))


def test_cmyk_is_converted(tmp_path: Path) -> None:
    """Pure colours of 8 × 8 blocks: JPEG keeps them, but for rounding."""
    colours = [(255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)]
    rgb = np.repeat(np.repeat(np.array([colours], np.uint8), 16, axis=0), 16, axis=1)
    Image.fromarray(rgb.reshape(16, 80, 3)).convert('CMYK').save(tmp_path / 'a.jpg', quality=100)
    got = load(tmp_path / 'a.jpg')['img'].astype(int)
    assert abs(got - rgb[..., ::-1]).max() <= 3


@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_orientation_is_applied_unless_asked(
    tmp_path: Path, image: np.ndarray, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / 'a.png'
    Image.fromarray(image).save(path, exif=exif)
    turned = ImageOps.exif_transpose(Image.open(path))
    np.testing.assert_array_equal(load(path)['img'], bgr(turned))
    as_stored = load(path, color_type='color_ignore_orientation')['img']
    np.testing.assert_array_equal(as_stored, image[..., ::-1])


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp', '.webp'])
@pytest.mark.parametrize('part', [0.0, 0.02, 0.5, 0.95])
def test_truncated(tmp_path: Path, image: np.ndarray, suffix: str, part: float) -> None:
    content = cv2.imencode(suffix, image)[1].tobytes()
    path = tmp_path / f'a{suffix}'
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match=rf'cannot decode image .*a\{suffix}: '):
        load(path)
    assert load(path, ignore_empty=True) is None


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_no_image(tmp_path: Path, backend: str) -> None:
    path = tmp_path / 'a.jpg'
    path.write_text('<html>404</html>', encoding='utf-8')
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
def test_jpeg_end_is_searched_after_the_preview(
    tmp_path: Path, image: np.ndarray, progressive: bool
) -> None:
    preview = cv2.imencode('.jpg', image[:8, :8])[1].tobytes()  # has an end marker itself
    path = tmp_path / 'a.jpg'
    exif = b'Exif\x00\x00' + preview
    Image.fromarray(image).save(path, quality=95, progressive=progressive, exif=exif)
    content = path.read_bytes()
    assert content.count(b'\xff\xd9') == 2
    assert not jpeg_ends_early(content)
    assert not jpeg_ends_early(content + b'appended \xff\xda by a camera')
    scan = content.index(b'\xff\xda', content.index(preview) + len(preview))
    for length in (scan - 20, scan + 10, len(content) - 2):
        assert jpeg_ends_early(content[:length])
