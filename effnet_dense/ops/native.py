"""Compile and load this package's C++ sources.

inductor's cache compiles each of them in a few seconds, once per user and machine.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from effnet_dense.utils.private_cache import use_private_cache


def is_compiled(source: Path) -> bool:
    """Whether a source could be compiled; if not, the reason is logged once."""
    return _library(source) is not None


@cache
def function(source: Path, name: str, pointers: int, sizes: int) -> Callable[..., None]:
    """Load a function from a C++ source.

    Args:
        source: Path of the source.
        name: An `extern "C"` function that returns nothing.
        pointers: Number of address arguments, which come first.
        sizes: Number of integer arguments, which follow.

    Raises:
        RuntimeError: The source could not be compiled.
    """
    library = _library(source)
    if library is None:
        raise RuntimeError(f'{source.name} could not be compiled; see the warning in the log')
    found: Any = getattr(library, name)
    found.argtypes = [ctypes.c_void_p] * pointers + [ctypes.c_int64] * sizes
    found.restype = None
    return found


@cache
def _library(source: Path) -> Any:
    from torch._inductor.codecache import CppCodeCache
    from torch._inductor.exc import CppCompileError, InvalidCxxCompiler

    try:
        use_private_cache()
        return CppCodeCache.load(source.read_text(encoding='utf-8'))
    except InvalidCxxCompiler:
        reason = (
            'no C++ compiler was found; install g++, or name one in the environment variable CXX'
        )
    except CppCompileError as error:
        output = str(error).partition('Output:')[2]
        reason = f'it could not be compiled: {_first_error(output)}'
    except OSError as error:
        reason = f'it could not be compiled: {error}'
    text = f"using PyTorch's own, slower operators instead of {source.name}: {reason}"
    print_log(text, 'current', logging.WARNING)
    return None


def _first_error(output: str) -> str:
    """Return a compiler's first error; what it prints besides may be hundreds of lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return next((line for line in lines if 'error:' in line), lines[0] if lines else 'no output')
