"""Depth and bands in the headers of image files."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from effnet_dense.data.image_headers import ALPHA, COLOUR_KEY, FOURTH, Header, read_header

NOISE = np.random.default_rng(0).integers(0, 65536, (40, 64, 4), dtype=np.uint16)
BYTES = (NOISE >> 8).astype(np.uint8)


def saved(kind: str, image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize('kind', ['PNG', 'TIFF', 'WEBP', 'AVIF', 'JPEG2000'])
def test_alpha(kind: str) -> None:
    with_alpha, without = Image.fromarray(BYTES), Image.fromarray(BYTES[..., :3].copy())
    assert read_header(saved(kind, without)).bands == ''
    assert read_header(saved(kind, with_alpha)).bands in (ALPHA, FOURTH)
    if kind == 'WEBP':
        assert read_header(saved(kind, without, lossless=True)).bands == ''
        assert read_header(saved(kind, with_alpha, lossless=True)).bands == ALPHA


def test_grey_with_alpha_and_palettes() -> None:
    for kind in ('PNG', 'TIFF'):
        assert read_header(saved(kind, Image.fromarray(BYTES).convert('LA'))).bands == ALPHA
    palette = Image.fromarray(BYTES[..., :3].copy()).quantize(8)
    assert read_header(saved('PNG', palette)).bands == ''
    assert read_header(saved('PNG', palette, transparency=b'\0\1')).bands == COLOUR_KEY


@pytest.mark.parametrize('suffix', ['.png', '.tif', '.jp2'])
def test_16_bits(suffix: str) -> None:
    for image, bits in ((NOISE[..., 0], 16), (NOISE[..., :3], 16), (BYTES[..., :3], 8)):
        content = cv2.imencode(suffix, np.tile(image, (3, 3) + (1,) * (image.ndim - 2)))[1]
        header = read_header(content.tobytes())
        assert (header.bits, header.deep, header.bands) == (bits, bits > 8, '')


def test_floating_point_colours_that_are_no_alpha_and_bilevel() -> None:
    tiff = {
        mode: read_header(saved('TIFF', Image.fromarray(BYTES[..., :3].copy()).convert(mode)))
        for mode in ('1', 'L', 'CMYK', 'P', 'F', 'I')
    }
    assert [tiff[mode].deep for mode in tiff] == [False] * 4 + [True] * 2
    assert not any(header.bands for header in tiff.values())


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        (b'P5\n# a comment\n64 40 # another\n4095\n', Header(16, 4095)),
        (b'P6 64 40 255\n', Header(8)),
        (b'P2 64 40 15\n', Header(8, 15)),
        (b'P7\nWIDTH 2\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nENDHDR\n', Header(8, None, FOURTH, 4)),
        (b'Pf\n64 40\n-1\n', Header(32)),
        (b'', Header()),
        (b'P5', Header()),
        (b'\x89PNG\r\n\x1a\n', Header()),
        (b'\0\0\0\x1cftypmif1\0\0\0\0mif1avif', Header(format='AVIF')),
        (b'\0\0\0\x18ftypheic\0\0\0\0mif1heic', Header()),
        (b'II*\0\xff\xff\xff\xff', Header()),
        (b'\xff\xd8\xff', Header()),
    ],
)
def test_other_files(content: bytes, expected: Header) -> None:
    assert read_header(content) == expected


STARTS = [
    cv2.imencode('.png', NOISE)[1].tobytes()[:60],
    cv2.imencode('.tif', NOISE[..., :3])[1].tobytes(),
    saved('TIFF', Image.fromarray(BYTES)),
    saved('WEBP', Image.fromarray(BYTES))[:40],
    b'P5 4 4 4095 ',
]


@given(st.sampled_from(STARTS), st.integers(0, 400), st.binary(max_size=40))
@settings(max_examples=50, deadline=None)
def test_damaged_headers_raise_nothing(start: bytes, length: int, rest: bytes) -> None:
    assert isinstance(read_header(start[:length] + rest), Header)
    assert isinstance(read_header(start[:4] + rest), Header)
