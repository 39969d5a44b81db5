"""Convert an image's values to 8 bits by a stated range, or by that of their type.

Shapes: H × W pixels; (H, W) is grey, (H, W, 3) BGR.

| values | range by default |
|---|---|
| bool | False is 0, True is 255 |
| uint8, uint16, int8, int16 | 0 to the type's maximum |
| wider integers | 0 to 65535: Pillow's mode I holds 16-bit files |
| floating point | 0 to 1 |
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Range = tuple[float, float]
"""The values that become 0 and 255."""

ImageRange = float | tuple[float, float] | list[float] | None
"""A stated range: the largest value, or both ends; None for that of the values' type."""

Kind = Literal['bands', 'narrow', 'clipped']
KINDS: tuple[Kind, ...] = ('bands', 'narrow', 'clipped')
"""Kinds of notices: bands that are dropped, a range hardly used, values outside of it."""

WIDE_INTEGER: Range = (0.0, 65535.0)
FLOATING: Range = (0.0, 1.0)

SMALL_PART = 16
"""An image that uses less than this part of the range is nearly uniform."""

STRIDE = 16
"""One row in so many usually shows that the image is not."""

HINT = 'of LoadImageFromFile or Predictor, or by --image-range'


@dataclass(frozen=True)
class Raw:
    """An image's values before they become 8 bits.

    Attributes:
        values: (H, W) or (H, W, 3).
        own: The range that the file states; None for that of the type.
        bands: Which bands were dropped, in words; '' if none.
    """

    values: NDArray[Any]
    own: Range | None = None
    bands: str = ''


@dataclass(frozen=True)
class Notice:
    """Something about an image that its user should know."""

    kind: Kind
    text: str


def parse_range(image_range: ImageRange) -> Range | None:
    """Check a stated range: a number above 0, or two numbers in ascending order.

    Raises:
        ValueError: Anything else.
    """
    if image_range is None:
        return None
    ends = list(image_range) if isinstance(image_range, list | tuple) else [0, image_range]
    if len(ends) != 2 or not all(map(_is_number, ends)) or not ends[0] < ends[1]:
        raise ValueError(
            'expected image_range as the largest value, such as 4095, or as (smallest, largest), '
            f'got {image_range!r}'
        )
    if not math.isfinite(float(ends[1]) - float(ends[0])):
        raise ValueError(f'expected an image_range of finite length, got {image_range!r}')
    return float(ends[0]), float(ends[1])


def range_from_text(text: str) -> Range:
    """Parse a range from a command line: '4095' or '20000,30000'.

    Raises:
        argparse.ArgumentTypeError: Another text.
    """
    try:
        ends = [float(part) for part in text.split(',')]
        stated = parse_range(ends[0] if len(ends) == 1 else ends)
    except ValueError:
        stated = None
    if stated is None:
        raise argparse.ArgumentTypeError(
            f'expected the largest value, such as 4095, or MIN,MAX, got {text!r}'
        )
    return stated


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def to_8_bits(raw: Raw, stated: Range | None = None) -> tuple[NDArray[np.uint8], list[Notice]]:
    """Convert values to 8 bits; uint8 stays as it is unless a smaller range is stated.

    Integers are divided into 256 steps of equal width (16 bits: by 256), floating-point values
    are rounded. A stated range that exceeds what an image of 8 or 16 bits can hold is meant for
    others, so that 8-bit images may lie among 12-bit ones.

    Args:
        raw: The values.
        stated: See `parse_range`; values outside it become 0 or 255.

    Returns:
        The image in the same shape, and notices.

    Raises:
        ValueError: Values of a type that no image has, NaN or infinity, or values outside the
            default range of their type.
    """
    values = _native(raw.values)
    if _is_usual(values, raw, stated):
        return values, []
    lowest, highest = _extremes(values)
    low, high = bounds = _range(values.dtype, raw.own, stated, highest)
    notices = [Notice('bands', f'{raw.bands}; the colours are used as they are')] * bool(raw.bands)
    slack = (high - low) / 510 if values.dtype.kind == 'f' else 0.0  # rounded away
    if lowest < low - slack or highest > high + slack:
        found = f'{_name(lowest)} to {_name(highest)}'
        if bounds != stated:
            raise ValueError(
                f'expected values from {_name(low)} to {_name(high)} in an image of '
                f'{values.dtype}, got {found}: state their range as image_range {HINT}'
            )
        text = f'values from {found} are clipped to image_range {_name(low)} to {_name(high)}'
        notices.append(Notice('clipped', text))
    if _is_narrow(values.dtype, lowest, highest, bounds):
        notices.append(Notice('narrow', _describe_narrow(lowest, highest, bounds)))
    return _scale(values, bounds), notices


def _is_usual(values: NDArray[Any], raw: Raw, stated: Range | None) -> bool:
    """Whether an image of 8 bits stays as it is, without a notice, by a few of its values."""
    if values.dtype != np.uint8 or raw.bands or (raw.own, stated) != (None, None):
        return False
    few = values[::STRIDE]
    return bool(few.size) and int(few.max()) >= 255 / SMALL_PART


def _native(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values in this machine's byte order.

    Raises:
        ValueError: They are no real numbers.
    """
    if values.dtype.kind not in 'buif':
        raise ValueError(f'expected an image of numbers, got {values.dtype}')
    return values.astype(values.dtype.newbyteorder('='), copy=False)


def _extremes(values: NDArray[Any]) -> Range:
    """Find the smallest and largest value.

    Raises:
        ValueError: Some are NaN or infinite.
    """
    lowest, highest = float(values.min()), float(values.max())
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        count = int((~np.isfinite(values)).sum())
        raise ValueError(f'{count} of {values.size} values are NaN or infinite')
    return lowest, highest


def _range(dtype: np.dtype[Any], own: Range | None, stated: Range | None, highest: float) -> Range:
    """Choose the range: the stated one, the file's, or the type's."""
    narrow = dtype.kind == 'b' or (dtype.kind in 'iu' and dtype.itemsize <= 2)
    if dtype.kind == 'b':
        default: Range = (0.0, 1.0)
    elif narrow:
        default = (0.0, float(np.iinfo(dtype).max))
    else:
        default = FLOATING if dtype.kind == 'f' else WIDE_INTEGER
    if own is not None and highest <= own[1]:
        default, narrow = own, True
    return default if stated is None or (narrow and stated[1] > default[1]) else stated


def _is_narrow(dtype: np.dtype[Any], lowest: float, highest: float, bounds: Range) -> bool:
    """Whether less than a sixteenth of the range is used; of 8 bits, only the darkest counts."""
    low, high = bounds
    if dtype.kind == 'b':
        return False
    if dtype == np.uint8:  # white pages and black frames are common
        return 0 < highest - low < (high - low) / SMALL_PART
    return highest - lowest < (high - low) / SMALL_PART


def _describe_narrow(lowest: float, highest: float, bounds: Range) -> str:
    found, full = (f'{_name(a)} to {_name(b)}' for a, b in ((lowest, highest), bounds))
    example = _example(lowest, highest)
    return (
        f'values from {found} use less than a sixteenth of the range {full}, so that the image is '
        f'nearly uniform: if the data have another range, state it as image_range{example} {HINT}'
    )


def _example(lowest: float, highest: float) -> str:
    """Suggest a range for data like this: as many bits as are used, or both ends."""
    if lowest == highest:
        return ''
    if lowest > highest / 4 or highest <= 0:
        return f'=({_name(lowest)}, {_name(highest)})'
    bits = math.ceil(math.log2(highest + 1))
    return f'={2**bits - 1}' if highest.is_integer() else f'={_name(highest)}'


def _name(value: float) -> str:
    return str(int(value)) if value.is_integer() else f'{value:.6g}'


def _scale(values: NDArray[Any], bounds: Range) -> NDArray[np.uint8]:
    if values.dtype == np.uint8 and bounds == (0.0, 255.0):
        return values
    if values.dtype in (np.uint8, np.uint16):
        return _table(values.dtype.name, bounds)[values]
    return _convert(values, bounds)


@lru_cache(maxsize=8)
def _table(dtype: str, bounds: Range) -> NDArray[np.uint8]:
    """Convert every value that a type can hold."""
    return _convert(np.arange(np.iinfo(dtype).max + 1, dtype=dtype), bounds)


def _convert(values: NDArray[Any], bounds: Range) -> NDArray[np.uint8]:
    low, high = bounds
    span = high - low
    shifted = np.clip(values.astype(np.float64), low, high) - low
    if values.dtype.kind in 'iu' and span >= 255:
        return np.floor(shifted * 256 / (span + 1)).astype(np.uint8)
    return np.rint(shifted * 255 / span).astype(np.uint8)
