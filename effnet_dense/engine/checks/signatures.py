"""Compare a config's arguments with the signature of the class that they are for."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, get_type_hints

LIBRARIES = ('effnet_dense', 'mmcv', 'mmdet', 'mmengine', 'mmseg', 'torch')
NUMBERS = (int, float, bool)


def arguments_of(cls: Any) -> dict[str, Any] | None:
    """Return the arguments that a class or function accepts, with their annotations.

    `**kwargs` are followed to the next class of the method resolution order.

    Returns:
        None if it may accept any.
    """
    if not inspect.isclass(cls):
        return _signature(cls)[0] if not _signature(cls)[1] else None
    found: dict[str, Any] = {}
    for part in cls.__mro__:
        if '__init__' not in vars(part) or part is object:
            continue
        constructor = vars(part)['__init__']
        arguments, kwargs = _signature(constructor)
        found = {**arguments, **found}
        if not kwargs:
            return found
        if not part.__module__.startswith(LIBRARIES):
            return None
        found |= dict.fromkeys(_taken_out(constructor, kwargs), Any)
    return None


def _signature(function: Any) -> tuple[dict[str, Any], str]:
    """Return a function's arguments with annotations, and the name of its `**kwargs` or ''."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}, 'unknown'
    try:
        hints = get_type_hints(function)
    except Exception:  # names that are imported for type checkers only
        hints = {}
    kinds = {name: parameter.kind for name, parameter in parameters.items()}
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    kwargs = [name for name, kind in kinds.items() if kind is inspect.Parameter.VAR_KEYWORD]
    arguments = {name: hints.get(name, Any) for name, kind in kinds.items() if kind in named}
    arguments.pop('self', None)
    return arguments, kwargs[0] if kwargs else ''


def _taken_out(function: Any, kwargs: str) -> Iterable[str]:
    """Return the names that a constructor takes out of its `**kwargs`, by its source."""
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        return ()
    return re.findall(r"['\"](\w+)['\"]", source) if kwargs in source else ()


def check_names(key: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Check the names of a config's arguments.

    Args:
        key: The config's key of the arguments, such as 'default_hooks.checkpoint'.
        given: The arguments.
        known: The names that are read.

    Raises:
        ValueError: Names the first unknown one, its value and the nearest known names.
    """
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=3)
            hint = (
                f'did you mean {", ".join(near)}?'
                if near
                else (f'known are {", ".join(sorted(known))}' if known else 'it takes no arguments')
            )
            raise ValueError(f'{key}.{name}={value!r}: there is no such argument; {hint}')


def check_numbers(key: str, given: Mapping[str, Any], annotations: Mapping[str, Any]) -> None:
    """Check that arguments annotated as a number or a truth value are one.

    Raises:
        ValueError: Names the first that is not.
    """
    for name, value in given.items():
        kind = annotations.get(name)
        if kind in NUMBERS and not isinstance(value, NUMBERS) and value is not None:
            raise ValueError(f'{key}.{name} must be of type {kind.__name__}, got {value!r}')
