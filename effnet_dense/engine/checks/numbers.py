"""Check single numbers of a config or an option, by its key."""

from __future__ import annotations

from numbers import Integral
from typing import Any


def check_integer(key: str, value: Any, smallest: int, largest: int | None = None) -> None:
    """Check a whole number.

    Raises:
        ValueError: Names the key, the value and the limits.
    """
    number = isinstance(value, Integral) or (isinstance(value, float) and value.is_integer())
    above = largest is not None and number and value > largest
    if not number or isinstance(value, bool) or value < smallest or above:
        limits = f'at least {smallest}' + ('' if largest is None else f', at most {largest}')
        raise ValueError(f'{key} must be a whole number, {limits}, got {value!r}')


def check_share(key: str, value: Any) -> None:
    """Check a score, an overlap or another share.

    Raises:
        ValueError: It is no number from 0 to 1.
    """
    if not is_number(value) or not 0 <= value <= 1:
        raise ValueError(f'{key} must be a number from 0 to 1, got {value!r}')


def is_number(value: Any) -> bool:
    """Whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)
