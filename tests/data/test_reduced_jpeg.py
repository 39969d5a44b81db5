"""JPEG files at a part of their size: the geometry is that of the complete image."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from effnet_dense.data.decoding import FLAGS
from effnet_dense.data.image_files import EXIF_ORIENTATION
from effnet_dense.data.reduced_jpeg import (
    Jpeg,
    decode_reduced,
    largest_factor,
    read_jpeg,
    resize_reduced,
)


def smooth(width: int, height: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def encode(image: np.ndarray, orientation: int = 1, **options: object) -> bytes:
    exif, file = Image.Exif(), io.BytesIO()
    if orientation > 1:
        exif[EXIF_ORIENTATION] = orientation
    Image.fromarray(image[..., ::-1]).save(file, 'JPEG', quality=95, exif=exif, **options)
    return file.getvalue()


def test_headers() -> None:
    image = smooth(30, 20)
    assert read_jpeg(encode(image), 'color') == Jpeg((30, 20), 1)
    assert read_jpeg(encode(image, 6), 'color') == Jpeg((20, 30), 6)
    assert read_jpeg(encode(image, 6), 'color_ignore_orientation') == Jpeg((30, 20), 1)
    assert read_jpeg(encode(image, 3, comment=b'a' * 999, icc_profile=b'b' * 99), 'color') == Jpeg(
        (30, 20), 3
    )
    assert read_jpeg(encode(image, progressive=True), 'color') == Jpeg((30, 20), 1)
    assert read_jpeg(cv2.imencode('.png', image)[1].tobytes(), 'color') is None
    assert read_jpeg(b'\xff\xd8\xff', 'color') is None
    assert read_jpeg(b'', 'color') is None


def test_factors() -> None:
    assert largest_factor(Jpeg((800, 400), 1), (100, 50)) == 8
    assert largest_factor(Jpeg((800, 400), 1), (100, 51)) == 4
    assert largest_factor(Jpeg((799, 400), 1), (100, 50)) == 4
    assert largest_factor(Jpeg((800, 400), 1), (401, 10)) == 1
    assert largest_factor(Jpeg((804, 400), 6), (100, 50)) == 4
    assert largest_factor(Jpeg((805, 400), 3), (100, 50)) == 1


@pytest.mark.parametrize('orientation', [1, 3, 6])
@pytest.mark.parametrize('size', [(640, 480), (641, 483), (647, 481)])
@pytest.mark.parametrize('wanted', [(77, 58), (79, 60), (152, 110), (170, 128), (300, 233)])
def test_pixels_are_in_their_places(
    size: tuple[int, int], wanted: tuple[int, int], orientation: int
) -> None:
    content = encode(smooth(*size), orientation)
    jpeg = read_jpeg(content, 'color')
    assert jpeg is not None
    wanted = wanted[::-1] if orientation == 6 else wanted
    factor = largest_factor(jpeg, wanted)
    if factor == 1:
        assert orientation > 1
        return
    full = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    made = resize_reduced(decode_reduced(content, 'color', factor), jpeg.size, factor, wanted)
    assert made.shape == (*wanted[::-1], 3)
    expected = cv2.resize(full, wanted, interpolation=cv2.INTER_AREA).astype(int)
    # 0.3 to 0.7; 1.2 to 6.7 if sides that are no multiples are taken for such.
    assert abs(made - expected).mean() < 0.8


@pytest.mark.parametrize('color_type', FLAGS)
def test_colours_and_orientations_of_mmcv(color_type: str) -> None:
    content = encode(smooth(256, 192), 8)
    full = cv2.imdecode(np.frombuffer(content, np.uint8), FLAGS[color_type])
    made = decode_reduced(content, color_type, 2)
    assert made.shape[:2] == tuple(side // 2 for side in full.shape[:2])
    assert made.ndim == full.ndim
    small = cv2.resize(full, made.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert abs(small.astype(int) - made).mean() < 1


def test_what_is_no_image() -> None:
    with pytest.raises(ValueError, match='4 bytes that cv2 cannot decode'):
        decode_reduced(b'\xff\xd8\xff\xd9', 'color', 2)
