"""Colours: how they are written, and the table that maps them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from effnet_dense.data.label_maps.colours import (
    TRANSLUCENT,
    TRANSPARENT,
    ColourTable,
    channels_of,
    colour_name,
    nearest_colour,
    parse_colour,
)
from effnet_dense.data.label_maps.decode import decode_colours

CODES = st.integers(0, 0xFFFFFF)


@given(CODES)
@settings(max_examples=50, deadline=None)
def test_every_way_to_write_a_colour(code: int) -> None:
    red, green, blue = channels_of(code)
    hexadecimal = f'{code:06x}'
    for written in (
        *(f'#{hexadecimal}', f'#{hexadecimal.upper()}', f' 0x{hexadecimal} ', colour_name(code)),
        *(f'[{red}, {green}, {blue}]', f'({red},{green},{blue})', f'{red} {green} {blue}'),
        *(
            f'rgb({red}, {green}, {blue})',
            f'RGBA({red},{green},{blue},0.5)',
            f'{red};{green};{blue}',
        ),
        *([red, green, blue], (float(red), green, blue), [red, green, blue, 255]),
    ):
        assert parse_colour(written) == code, written


@pytest.mark.parametrize(
    'value',
    [
        *('car', 'facade', 'abcdef', '#12', '#1234567', '1,2', '256,0,0', '[1, 2, x]', '-1,0,0'),
        *(
            7,
            None,
            True,
            [1, 2],
            [1, 2, 256],
            [1, 2, '#'],
            [True, 0, 0],
            [0.5, 0, 0],
            {},
            '1.5,0,0',
        ),
    ],
)
def test_what_is_no_colour(value: object) -> None:
    assert parse_colour(value) is None


def test_short_colours_and_transparency() -> None:
    assert parse_colour('#f0a') == 0xFF00AA
    assert parse_colour('Transparent') == TRANSPARENT
    assert colour_name(TRANSPARENT) == 'transparent'
    assert colour_name(TRANSLUCENT + 0xFF) == '#0000ff (translucent)'
    assert nearest_colour(0xFE0101, [0, 0xFF0000, 0xFFFFFF]) == 0xFF0000


@given(st.dictionaries(CODES, st.integers(0, 255), max_size=40), st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_table_equals_a_dictionary(colours: dict[int, int], seed: int) -> None:
    draw = np.random.default_rng(seed)
    codes = draw.integers(0, 1 << 24, (5, 7), dtype=np.uint32)
    for at, code in enumerate(list(colours)[:30]):
        codes.flat[at] = code
    expected = [[colours.get(int(code), -1) for code in row] for row in codes]
    np.testing.assert_array_equal(ColourTable(colours)(codes), expected)


def test_table_of_many_colours() -> None:
    codes = np.random.default_rng(0).choice(1 << 24, 3000, replace=False)
    colours = {int(code): i for i, code in enumerate(codes[:2000])}
    expected = np.where(np.arange(3000) < 2000, np.arange(3000), -1)
    shown = codes.astype(np.uint32).reshape(50, 60)
    np.testing.assert_array_equal(ColourTable(colours)(shown), expected.reshape(50, 60))


def test_colours_of_files(tmp_path: Path) -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [7, 7, 7]]], dtype=np.uint8)
    expected = [[0xFF0000, 0x00FF00], [0x0000FF, 0x070707]]
    shown = Image.fromarray(pixels)
    opaque = np.dstack([pixels, np.full((2, 2), 255, np.uint8)])
    for image in (
        shown,
        shown.convert('P', palette=Image.Palette.ADAPTIVE),
        Image.fromarray(opaque),
    ):
        image.save(tmp_path / 'a.png')
        assert decode_colours((tmp_path / 'a.png').read_bytes()).tolist() == expected
    opaque[0, :, 3] = 0, 128
    Image.fromarray(opaque).save(tmp_path / 'a.png')
    found = decode_colours((tmp_path / 'a.png').read_bytes()).tolist()
    assert found == [[TRANSPARENT, TRANSLUCENT + 0x00FF00], expected[1]]
    Image.fromarray(np.array([[0, 9]], dtype=np.uint8)).save(tmp_path / 'a.png')
    assert decode_colours((tmp_path / 'a.png').read_bytes()).tolist() == [[0, 0x090909]]


def test_colours_that_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / 'a.jpg')
    with pytest.raises(ValueError, match='JPEG changes values'):
        decode_colours((tmp_path / 'a.jpg').read_bytes())
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / 'a.tif', compression='jpeg')
    with pytest.raises(ValueError, match='TIFF with JPEG inside changes values'):
        decode_colours((tmp_path / 'a.tif').read_bytes())
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='expected colours of 8 bits, got'):
        decode_colours((tmp_path / 'a.png').read_bytes())
