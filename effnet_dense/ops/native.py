"""This package's C++ sources, compiled where there is a compiler.

inductor's cache compiles each of them in a few seconds, once on a machine.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.logging import print_log


def is_compiled(source: Path) -> bool:
    """Whether a source could be compiled; if not, it is said why, once."""
    return _library(source) is not None


@cache
def function(source: Path, name: str, pointers: int, sizes: int) -> Callable[..., None]:
    """One of a source's functions.

    Args:
        pointers: How many arguments are addresses, the first ones.
        sizes: How many are whole numbers, the last ones.

    Raises:
        RuntimeError: The source could not be compiled.
    """
    library = _library(source)
    if library is None:
        raise RuntimeError(f'{source.name} could not be compiled, as a warning has said')
    found: Any = getattr(library, name)
    found.argtypes = [ctypes.c_void_p] * pointers + [ctypes.c_int64] * sizes
    found.restype = None
    return found


@cache
def _library(source: Path) -> Any:
    from torch._inductor.codecache import CppCodeCache
    from torch._inductor.exc import CppCompileError, InvalidCxxCompiler

    try:
        return CppCodeCache.load(source.read_text())
    except InvalidCxxCompiler:
        reason = (
            'there is no C++ compiler: install g++, or name one by the environment variable CXX'
        )
    except (CppCompileError, OSError) as error:
        reason = f'it could not be compiled: {error}'
    text = f"torch's own operators do the work of {source.name}, which takes longer: {reason}"
    print_log(text, 'current', logging.WARNING)
    return None
