"""Answer a mistyped argument with the one that was meant."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from effnet_dense.utils.near_names import nearest

P = ParamSpec('P')
R = TypeVar('R')


def named_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function answer `epoch=1` with "did you mean 'epochs'?".

    Raises:
        TypeError: An argument is none of the function's, before anything is done.
    """
    known = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                near = nearest(name, known)
                hint = f'did you mean {near!r}?' if near else f'it has {", ".join(known)}'
                raise TypeError(f'{function.__name__}() has no argument {name!r}: {hint}')
        return function(*args, **kwargs)

    return checked
