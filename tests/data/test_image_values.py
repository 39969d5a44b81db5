"""Values become 8 bits by a stated range or by that of their type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.data.image_values import Raw, parse_range, range_from_text, to_8_bits


def convert(values: Any, image_range: Any = None, own: Any = None) -> tuple[list[int], list[str]]:
    """The 8-bit values of a row, and the kinds of notices."""
    image, notices = to_8_bits(Raw(np.asarray(values)[None], own), parse_range(image_range))
    assert image.dtype == np.uint8
    return image[0].tolist(), [notice.kind for notice in notices]


@pytest.mark.parametrize(
    ('values', 'stated', 'expected'),
    [
        (np.uint8([0, 15, 16, 255]), None, [0, 15, 16, 255]),
        (np.uint8([0, 255]), 4095, [0, 255]),  # a range for deeper images
        (np.uint8([0, 7, 15]), 15, [0, 119, 255]),
        (np.uint16([0, 255, 256, 65535]), None, [0, 0, 1, 255]),
        (np.uint16([0, 15, 16, 4095]), 4095, [0, 0, 1, 255]),
        (np.uint16([0, 65535]), 1e6, [0, 255]),
        (np.array([0, 256, 65535], '>u2'), None, [0, 1, 255]),
        (np.uint16([20000, 25000, 30000]), (20000, 30000), [0, 127, 255]),
        (np.int16([0, 128, 32767]), None, [0, 1, 255]),
        (np.int16([-1000, 0, 3000]), (-1000, 3000), [0, 63, 255]),
        (np.int32([0, 256, 65535]), None, [0, 1, 255]),
        (np.int64([0, 128, 255]), 255, [0, 128, 255]),
        (np.float32([0, 0.5, 1]), None, [0, 128, 255]),
        (np.float16([0, 0.5, 1]), None, [0, 128, 255]),
        (np.float32([-0.001, 0.5, 1.001]), None, [0, 128, 255]),  # as interpolation leaves it
        (np.float64([0, 5000, 10000]), 10000, [0, 128, 255]),
        (np.array([False, True]), None, [0, 255]),
        (np.array([False, True]), 4095, [0, 255]),
    ],
)
def test_ranges(values: Any, stated: Any, expected: list[int]) -> None:
    assert convert(values, stated) == (expected, [])


def test_a_files_own_range() -> None:
    assert convert(np.uint16([0, 4095]), None, (0.0, 4095.0)) == ([0, 255], [])
    assert convert(np.uint16([0, 4095]), 65535, (0.0, 4095.0)) == ([0, 255], [])
    assert convert(np.uint16([0, 1023]), 1023, (0.0, 4095.0)) == ([0, 255], [])
    assert convert(np.uint16([0, 65535]), None, (0.0, 4095.0)) == ([0, 255], []), 'it was wrong'


@given(st.integers(1, 65535), st.integers(0, 65534))
@settings(max_examples=50, deadline=None)
def test_integers_fill_all_steps_in_order(largest: int, smallest: int) -> None:
    if smallest >= largest:
        smallest = 0
    values = np.arange(65536, dtype=np.uint16)
    image, _ = to_8_bits(Raw(values[None]), (float(smallest), float(largest)))
    found = image[0].astype(int)
    assert (np.diff(found) >= 0).all()
    assert found[smallest] == 0 and found[largest] == 255 and found[-1] == 255
    inside = np.arange(smallest, largest + 1)
    exact = (inside - smallest) * 255 / (largest - smallest)
    assert abs(found[inside] - exact).max() <= 1


@pytest.mark.parametrize(
    ('values', 'stated', 'kinds'),
    [
        (np.uint16([0, 4095]), None, ['narrow']),
        (np.uint16([0, 4096]), None, []),
        (np.uint16([7, 7]), None, ['narrow']),
        (np.uint16([30000, 31000]), None, ['narrow']),  # not black, but grey
        (np.float32([0, 0.01]), None, ['narrow']),
        (np.float32([0.9, 1]), (0, 255), ['narrow']),
        (np.int32([0, 255]), None, ['narrow']),
        (np.uint8([0, 15]), None, ['narrow']),
        (np.uint8([0, 16]), None, []),
        (np.uint8([0, 0]), None, []),  # the first frame of a video
        (np.uint8([250, 255]), None, []),  # a white page
        (np.uint16([0, 5000]), 4095, ['clipped']),
        (np.float32([-1, 2]), 1, ['clipped']),
        (np.uint16([0, 100]), 4095, ['narrow']),
        (np.array([False, False]), None, []),
    ],
)
def test_notices(values: Any, stated: Any, kinds: list[str]) -> None:
    assert convert(values, stated)[1] == kinds


def test_a_notice_suggests_a_range() -> None:
    def text(values: Any) -> str:
        return to_8_bits(Raw(np.asarray(values)[None]))[1][0].text

    assert 'values from 3 to 4000 use less than a sixteenth of the range 0 to 65535' in text(
        np.uint16([3, 4000])
    )
    assert 'image_range=4095 of' in text(np.uint16([3, 4000]))
    assert 'image_range=(30000, 31000) of' in text(np.uint16([30000, 31000]))
    assert 'image_range=0.01 of' in text(np.float64([0, 0.01]))
    assert 'image_range of' in text(np.uint16([0, 0]))


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        (np.float32([0, np.nan, 1]), '1 of 3 values are NaN or infinite'),
        (np.float32([-np.inf, np.nan, 1]), '2 of 3 values are NaN or infinite'),
        (np.float32([0, 255]), 'expected values from 0 to 1 in an image of float32, got 0 to 255'),
        (np.float64([-0.5, 1]), 'got -0.5 to 1: state their range as image_range'),
        (np.int16([-5, 7]), 'expected values from 0 to 32767 in an image of int16, got -5 to 7'),
        (np.int32([0, 70000]), 'expected values from 0 to 65535 in an image of int32'),
        (np.complex64([1]), 'expected an image of numbers, got complex64'),
        (np.array(['a']), 'expected an image of numbers'),
    ],
)
def test_values_that_have_no_meaning(values: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        convert(values)


def test_nan_has_no_meaning_in_a_stated_range_either() -> None:
    with pytest.raises(ValueError, match='1 of 2 values are NaN'):
        convert(np.float32([np.nan, 1]), 1)


@pytest.mark.parametrize(
    'wrong', [0, -1, (1, 1), (2, 1), (1, 2, 3), [], '4095', True, float('nan'), float('inf'), {}]
)
def test_what_is_no_range(wrong: Any) -> None:
    with pytest.raises(ValueError, match='expected image_range as the largest value'):
        parse_range(wrong)


def test_ranges_of_the_command_line() -> None:
    assert range_from_text('4095') == (0, 4095)
    assert range_from_text('-1000,3000.5') == (-1000, 3000.5)
    for wrong in ('', 'x', '1,2,3', '5,4', '0', 'nan'):
        with pytest.raises(Exception, match='expected the largest value'):
            range_from_text(wrong)
