"""Choose which parameters of a test belong to the fast tier."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def slow_except(values: Iterable[Any], *fast: Any) -> list[ParameterSet]:
    """Mark all parameters `slow` but the given ones; a tuple is a set of parameters.

    Raises:
        ValueError: If one of `fast` is no parameter.
    """
    values = list(values)
    unknown = [value for value in fast if value not in values]
    if unknown:
        raise ValueError(f'expected parameters among {values}, got {unknown}')
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            marks=() if value in fast else pytest.mark.slow,
        )
        for value in values
    ]
