"""Read the values of options: numbers in a range, paths, and what is read by other rooms."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from effnet_dense.settings import AUTO
from effnet_dense.utils.output_folders import check_file, check_folder, check_path


def score(text: str) -> float:
    """Read an option that is a score.

    Raises:
        ArgumentTypeError: It is no number from 0 to 1.
    """
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'expected a number from 0 to 1, got {text!r}')
    return value


def positive(text: str) -> float:
    """Read an option that is a finite number above 0.

    Raises:
        ArgumentTypeError: It is none.
    """
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'expected a number above 0, got {text!r}')
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def whole(smallest: int, largest: int | None = None) -> Callable[[str], int]:
    """Return a reader of options that are whole numbers in a range.

    It raises ArgumentTypeError for others.
    """
    most = '' if largest is None else f', at most {largest}'

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = smallest - 1
        if value < smallest or (largest is not None and value > largest):
            raise argparse.ArgumentTypeError(
                f'expected a whole number, at least {smallest}{most}, got {text!r:.80}'
            )
        return value

    return read


SIDE = whole(32, 1 << 14)
"""Reads sides of images in pixels: at least a backbone's largest stride."""


def batch_size(text: str) -> int | str:
    """Read a number of images per step, or 'auto'.

    Raises:
        ArgumentTypeError: It is neither.
    """
    if text == AUTO:
        return text
    try:
        return whole(1)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f'{error}; or {AUTO!r}') from None


def name(text: str) -> str:
    """Read a text that must not be empty.

    Raises:
        ArgumentTypeError: It is.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError(f'expected a name, got {text!r}')
    return text


def given_path(text: str) -> str:
    """Return the path of an option, which must not be empty: that would be the current folder.

    Raises:
        FileNotFoundError: It is. Unlike a ValueError this passes argparse, and becomes one line.
    """
    check_path(text)
    return text


def output_folder(text: str) -> str:
    """Return an option's folder of results, which must be writable or one that can be made.

    Raises:
        OSError: See `check_folder`.
    """
    check_folder(text)
    return text


def output_file(text: str) -> str:
    """Return an option's file of results, in a folder as in `output_folder`.

    Raises:
        OSError: See `check_folder`.
    """
    check_file(text)
    return text


def image_range(text: str) -> tuple[float, float]:
    """Read the range of images' values: '4095' or '20000,30000'.

    Raises:
        ArgumentTypeError: Another text.
    """
    from effnet_dense.data.image_values import range_from_text

    return range_from_text(text)
