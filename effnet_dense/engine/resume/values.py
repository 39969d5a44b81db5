"""Compare and show plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Number
from typing import Any

from torch import Tensor


def check_count(name: str, value: Any) -> None:
    """Check a whole number, at least 0.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < 0:
        raise ValueError(f'expected {name} to be a whole number, at least 0, got {short(value)}')


def short(value: Any) -> str:
    """Return a value's text, shortened; a tensor's shape."""
    if isinstance(value, Tensor):
        return f'a tensor of shape {tuple(value.shape)}'
    try:
        text = ' '.join(repr(value).split())
    except Exception:  # a counter sorts its values, which may be of any kind
        text = f'a {type(value).__name__}'
    return text if len(text) <= 60 else f'{text[:57]}…'


def alike(one: Any, other: Any) -> bool:
    """Whether two tensors have one shape; other values have none."""
    return getattr(one, 'shape', None) == getattr(other, 'shape', None)


def same_kind(own: Any, saved: Any) -> bool:
    """Whether a saved value can take the place of an own one: both numbers, or both lists …"""
    if own is None or saved is None:  # switches that torch may choose, such as `fused`
        return all(value is None or isinstance(value, bool) for value in (own, saved))
    if isinstance(own, bool):
        return isinstance(saved, Integral)
    if isinstance(own, Integral):
        return isinstance(saved, Number) and not isinstance(saved, bool) and not is_nan(saved)
    if isinstance(own, Number | Tensor):
        scalar = isinstance(saved, Tensor) and saved.numel() == 1 and saved.is_floating_point()
        return scalar or (isinstance(saved, Number) and not is_nan(saved))
    if isinstance(own, tuple):  # of a fixed length, such as `betas`
        alike_long = isinstance(saved, list | tuple) and len(saved) == len(own)
        return alike_long and all(map(same_kind, own, saved))
    for kinds in (str, Mapping, list | tuple):
        if isinstance(own, kinds):
            return isinstance(saved, kinds)
    return True


def is_nan(value: Any) -> bool:
    """Whether a number is NaN."""
    return isinstance(value, float) and math.isnan(value)


def differ(old: Any, new: Any) -> bool:
    """Whether two plain values differ by more than rounding."""
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return len(old) != len(new) or any(map(differ, old, new))
    if isinstance(old, Number | Tensor) and isinstance(new, Number | Tensor):
        return not math.isclose(float(old), float(new), rel_tol=1e-9)  # type: ignore[arg-type]
    return bool(old != new)
