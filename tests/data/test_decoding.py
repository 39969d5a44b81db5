"""Files keep all bits until their range is known, and are turned exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import pytest
from PIL import Image, ImageOps

from effnet_dense.data import decoding
from effnet_dense.data.decoding import decode, decode_for_drawing, opencv_turns, turn
from effnet_dense.data.image_files import image_size
from effnet_dense.data.image_headers import read_header
from tests.helpers.image_files import encode, open_image, quadrants, save_turned, tiff

NOISE = np.random.default_rng(0).integers(0, 65536, (40, 64, 4), dtype=np.uint16)
BYTES = (NOISE >> 8).astype(np.uint8)
GREY = quadrants()


@pytest.mark.parametrize('orientation', range(1, 9))
def test_turn_is_pillows(orientation: int, tmp_path: Path) -> None:
    path = save_turned(tmp_path / 'a.png', Image.fromarray(GREY), orientation)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(turn(GREY, orientation), expected)


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp', '.webp', '.tif', '.jp2', '.ppm'])
@pytest.mark.parametrize('color_type', ['color', 'grayscale', 'unchanged'])
def test_8_bits_are_as_mmcv_decodes_them(suffix: str, color_type: str) -> None:
    content = encode(suffix, np.tile(BYTES[..., :3], (3, 3, 1)))
    expected = mmcv.imfrombytes(content, flag=color_type)
    raw = decode(content, color_type)
    assert raw.values.dtype == np.uint8
    np.testing.assert_array_equal(raw.values, expected)


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA'])
@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_modes_are_as_mmcv_decodes_them(mode: str, backend: str, tmp_path: Path) -> None:
    image = Image.fromarray(BYTES[..., :3].copy())
    image = image.convert('P').convert('PA') if mode == 'PA' else image.convert(mode)
    for suffix in ('.tif', '.png') if mode != 'PA' else ('.tif',):
        try:
            image.save(tmp_path / f'a{suffix}')
        except OSError:
            continue  # no such mode in this format
        content = (tmp_path / f'a{suffix}').read_bytes()
        expected = mmcv.imfrombytes(content, backend=backend)
        if expected is not None:
            np.testing.assert_array_equal(decode(content, backend=backend).values, expected)


DEEP = {
    'grey png': (encode('.png', NOISE[..., 0]), NOISE[..., 0]),
    'colour png': (encode('.png', NOISE[..., :3]), NOISE[..., :3]),
    'alpha png': (encode('.png', NOISE), NOISE[..., :3]),
    'grey tiff': (tiff(NOISE[..., 0]), NOISE[..., 0]),
    'colour tiff': (tiff(NOISE[..., :3]), NOISE[..., 2::-1]),
    'near infrared tiff': (tiff(NOISE), NOISE[..., 2::-1]),
    'signed tiff': (tiff(NOISE[..., 0].astype(np.int16)), NOISE[..., 0].astype(np.int16)),
    'wide tiff': (tiff(NOISE[..., 0].astype(np.int32)), NOISE[..., 0].astype(np.int32)),
    'float tiff': (tiff(np.float32(NOISE[..., 0])), np.float32(NOISE[..., 0])),
    'float colour tiff': (tiff(np.float32(NOISE[..., :3])), np.float32(NOISE[..., 2::-1])),
    'double tiff': (tiff(np.float64(NOISE[..., 0])), np.float64(NOISE[..., 0])),
    'packed tiff': (tiff(NOISE[..., 0] >> 4, bits=12), NOISE[..., 0] >> 4),
    'pgm': (b'P5 64 40 4095\n' + (NOISE[..., 0] >> 4).astype('>u2').tobytes(), NOISE[..., 0] >> 4),
}


@pytest.mark.parametrize('name', DEEP)
def test_all_bits_are_decoded(name: str) -> None:
    content, expected = DEEP[name]
    raw = decode(content)
    values = raw.values[..., 0] if raw.values.ndim > expected.ndim else raw.values
    assert raw.values.dtype == expected.dtype
    np.testing.assert_array_equal(values, expected)
    assert bool(raw.bands) == (name in ('alpha png', 'near infrared tiff'))
    assert raw.own == ((0, 4095) if name in ('packed tiff', 'pgm') else None)


def test_more_than_four_bands_are_named() -> None:
    with pytest.raises(ValueError, match='that cv2 cannot decode, of 5 bands'):
        decode(tiff(np.concatenate([NOISE, NOISE[..., :1]], axis=2)))


def test_pillows_backend_keeps_the_bits() -> None:
    for content in (encode('.png', NOISE[..., 0]), tiff(NOISE[..., 0])):
        np.testing.assert_array_equal(decode(content, backend='pillow').values, NOISE[..., 0])


TURNED: dict[str, dict[str, Any]] = {
    '.jpg': dict(quality=100),
    '.png': {},
    '.webp': dict(lossless=True),
    '.avif': dict(quality=95),
    '.tif': {},
}


@pytest.mark.parametrize('suffix', TURNED)
@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_each_format_is_turned_once(suffix: str, backend: str, tmp_path: Path) -> None:
    """The loader and the check agree, also on an image that is not turned."""
    for mode in ('L', 'RGB'):
        for orientation in range(1, 9):
            image = Image.fromarray(GREY).convert(mode)
            path = save_turned(tmp_path / f'a{suffix}', image, orientation, **TURNED[suffix])
            found = decode(path.read_bytes(), backend=backend).values
            expected = turn(GREY, orientation)
            assert found.shape[:2] == expected.shape == image_size(path)[::-1], (mode, orientation)
            difference = abs(found[..., 0].astype(int) - expected)
            assert np.percentile(difference, 90) < 5, (mode, orientation)
            stored = decode(path.read_bytes(), 'color_ignore_orientation', backend).values
            assert stored.shape[1::-1] == image_size(path, upright=False), (mode, orientation)
            if suffix != '.tif':
                assert stored.shape[:2] == GREY.shape


@pytest.mark.parametrize('orientation', range(1, 9))
def test_deep_tiffs_are_turned_once(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / 'a.tif'
    for values in (GREY, np.uint16(GREY) * 257, np.int32(GREY), np.float32(GREY)):
        path.write_bytes(tiff(values, orientation))
        found = decode(path.read_bytes()).values
        found = found if found.ndim == 2 else found[..., 0]
        np.testing.assert_array_equal(found, turn(values, orientation))
        assert image_size(path) == image_size(path, upright=False) == found.shape[::-1]


def test_sizes_of_files_that_pillow_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / 'a.tif'
    path.write_bytes(tiff(np.zeros((24, 40, 3), np.float32)))
    assert image_size(path) == (40, 24)
    path.write_bytes(tiff(np.zeros((24, 40, 3), np.float32), 6))
    assert image_size(path) == decode(path.read_bytes()).values.shape[1::-1]


def test_backends_that_do_not_turn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = save_turned(tmp_path / 'a.jpg', Image.fromarray(GREY), 6).read_bytes()
    monkeypatch.setattr(mmcv, 'imfrombytes', lambda *_, **__: np.stack([GREY] * 3, axis=2))
    found = decode(content, backend='turbojpeg').values
    np.testing.assert_array_equal(found[..., 0], turn(GREY, 6))
    stored = decode(content, 'color_ignore_orientation', 'turbojpeg').values
    np.testing.assert_array_equal(stored[..., 0], GREY)


@pytest.mark.parametrize('suffix', TURNED)
def test_versions_of_opencv_that_turn_or_do_not(
    suffix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whichever formats OpenCV turns by itself, an image is turned once."""
    path = save_turned(tmp_path / f'a{suffix}', Image.fromarray(GREY), 6, **TURNED[suffix])
    content, kind = path.read_bytes(), read_header(path.read_bytes()).format
    stored = np.stack([GREY] * 3, axis=2)
    for turns in (True, False):
        answer = turn(stored, 6) if turns else stored
        monkeypatch.setattr(mmcv, 'imfrombytes', lambda *_, answer=answer, **__: answer)
        monkeypatch.setattr(decoding, 'opencv_turns', lambda kind, turns=turns: turns)
        np.testing.assert_array_equal(decode(content).values[..., 0], turn(GREY, 6))
    monkeypatch.undo()
    assert opencv_turns(kind) == (decode(content).values.shape[:2] == cv2_shape(content))


def cv2_shape(content: bytes) -> tuple[int, ...]:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape[:2]


def test_drawings_show_deep_images() -> None:
    content = encode('.png', BYTES[..., :3])
    np.testing.assert_array_equal(decode_for_drawing(content), BYTES[..., 2::-1])
    dark = tiff(np.uint16(GREY) + 5)
    shown = decode_for_drawing(dark)
    assert shown.shape == (24, 40, 3) and (shown.min(), shown.max()) == (0, 255)
    floats = np.float32(GREY)
    floats[0, 0] = np.nan
    assert decode_for_drawing(tiff(floats)).max() == 255
    assert decode_for_drawing(tiff(np.zeros((4, 4), np.uint16))).max() == 0
    with pytest.raises((ValueError, OSError, cv2.error)):
        decode_for_drawing(b'no image')


def test_pillow_opens_what_the_helper_writes() -> None:
    np.testing.assert_array_equal(np.asarray(open_image(tiff(NOISE[..., 0]))), NOISE[..., 0])
