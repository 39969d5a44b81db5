"""Decoded values of label map files in many formats, and files that are not label maps."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from effnet_dense.data import decode_label_map
from effnet_dense.data.label_maps.decode import decode_colours
from tests.helpers.label_images import VALUES, encode, palette_image, png


@pytest.mark.parametrize('bits', [1, 2, 4, 8, 16])
def test_greyscale_of_any_depth(bits: int) -> None:
    values = VALUES % min(2**bits, 255)
    values[0, 0] = min(2**bits - 1, 200)
    np.testing.assert_array_equal(decode_label_map(png(values, bits)), values)


@pytest.mark.parametrize('bits', [1, 2, 4, 8])
def test_palette_images_give_indices(bits: int) -> None:
    values = VALUES % min(2**bits, 255)
    content = encode(palette_image(values), bits=bits)
    np.testing.assert_array_equal(decode_label_map(content), values)


def test_sixteen_bits_keep_large_values() -> None:
    values = np.array([[0, 255, 256], [300, 65535, 1]], dtype=np.uint16)
    decoded = decode_label_map(encode(Image.fromarray(values)))
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, values)


@pytest.mark.parametrize('mode', ['LA', 'RGB', 'RGBA'])
def test_grey_saved_as_colour(mode: str) -> None:
    content = encode(Image.fromarray(VALUES).convert(mode))
    np.testing.assert_array_equal(decode_label_map(content), VALUES)


@pytest.mark.parametrize('kind', ['BMP', 'TIFF', 'PPM', 'GIF'])
def test_other_lossless_formats(kind: str) -> None:
    np.testing.assert_array_equal(decode_label_map(encode(Image.fromarray(VALUES), kind)), VALUES)


def changed(position: tuple[int, ...], value: int) -> np.ndarray:
    pixels = np.stack([VALUES, VALUES, VALUES, np.full_like(VALUES, 255)], axis=-1)
    pixels[position] = value
    return pixels


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'', 'the file is empty'),
        (b'<html>404</html>', 'cannot identify image file'),
        (png(VALUES, 8)[:-30], 'truncated'),
        (encode(Image.fromarray(VALUES), 'JPEG'), 'JPEG changes values, expected PNG'),
        (encode(Image.fromarray(VALUES), 'WEBP', lossless=True), 'WEBP changes values'),
        (encode(Image.fromarray(changed((0, 0, 1), 9))), 'an image of mode RGBA with colours'),
        (
            encode(Image.fromarray(changed((2, 1, 3), 254))),
            'an image of mode RGBA with transparency',
        ),
        (
            encode(Image.fromarray(changed((0, 0, 2), 9)[..., :3].copy())),
            'an image of mode RGB with colours',
        ),
        (png(np.stack([VALUES] * 3, -1), 16, colour_type=2), '16-bit colours'),
        (encode(Image.fromarray(VALUES.astype(np.float32)), 'TIFF'), r'values from 0\.0 to 3\.0'),
        (encode(Image.fromarray(VALUES.astype(np.int32) - 1), 'TIFF'), 'values from -1 to 2'),
        (encode(Image.fromarray(VALUES + np.int32(65535)), 'TIFF'), 'values from 65535 to 65538'),
        (encode(Image.fromarray(VALUES).convert('CMYK'), 'TIFF'), 'an image of mode CMYK'),
    ],
)
def test_what_is_no_label_map(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode_label_map(content)


def array_file(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=values.dtype == object)
    return file.getvalue()


@pytest.mark.parametrize('dtype', ['bool', 'uint8', 'int16', 'int64', '>u2'])
def test_arrays(dtype: str) -> None:
    values = (VALUES % 2).astype(dtype)
    for form in (values, values[None], values[..., None]):
        decoded = decode_label_map(array_file(form))
        np.testing.assert_array_equal(decoded, VALUES % 2)
        assert decoded.dtype in (np.uint8, np.uint16)


def test_colours_of_arrays() -> None:
    pixels = np.stack([VALUES, VALUES // 2, VALUES * 0], axis=-1).astype(np.uint8)
    expected = decode_colours(encode(Image.fromarray(pixels)))
    np.testing.assert_array_equal(decode_colours(array_file(pixels)), expected)
    with pytest.raises(ValueError, match='an array of colours'):
        decode_label_map(array_file(pixels))


@pytest.mark.parametrize(
    ('values', 'why'),
    [
        (np.zeros((4, 4), np.float32), 'float32 values'),
        (np.full((4, 4), -1), 'values from -1'),
        (np.zeros((4, 4), object), 'cannot be read'),
        (np.zeros((2, 4, 5), np.uint8), 'an array of the shape'),
        (np.zeros((0, 4), np.uint8), 'an array of the shape'),
        (np.zeros(4, np.uint8), 'an array of the shape'),
    ],
)
def test_arrays_that_are_no_label_maps(values: np.ndarray, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode_label_map(array_file(values))
    with pytest.raises(ValueError, match='cannot be read'):
        decode_label_map(array_file(VALUES)[:-9])
