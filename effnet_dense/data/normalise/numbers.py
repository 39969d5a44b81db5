"""Numbers that tools write as text or with a decimal point."""

from __future__ import annotations

import math
import re
from typing import Any

from effnet_dense.data.columns import LIMIT

_INTEGER = re.compile(r'\s*[+-]?\d{1,18}(?:\.0*)?\s*')


def as_integer(value: Any) -> int | None:
    """Read an integer: 12, 12.0, '12', '012' and '12.0' are 12; None for anything else."""
    if type(value) is int:
        return value
    if type(value) is float and math.isfinite(value) and value == int(value):
        return int(value)
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value.partition('.')[0])
    return None


def as_number(value: Any) -> float | int | None:
    """Read a coordinate: 1.5 and '1.5' are 1.5; None for anything else."""
    if type(value) is str:
        try:
            value = float(value)
        except ValueError:
            return None
    return value if is_number(value) else None


def is_number(value: Any) -> bool:
    """Whether a value is a finite number of a size that coordinates have."""
    return type(value) in (int, float) and -LIMIT < value < LIMIT
