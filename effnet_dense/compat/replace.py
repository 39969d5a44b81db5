"""Replace a function of another package, wherever it was imported to."""

from __future__ import annotations

import sys
from functools import wraps
from types import ModuleType
from typing import Any


def replace(module: ModuleType, name: str, function: Any) -> None:
    """Replace a module's function, also in its package's modules that imported it before.

    Args:
        module: Where it is defined.
        name: The function's.
        function: Takes its place, with its name and documentation.
    """
    original = getattr(module, name)
    replacement = wraps(original)(function)
    package = module.__name__.partition('.')[0]
    for other_name, other in list(sys.modules.items()):
        within = other_name == package or other_name.startswith(f'{package}.')
        if within and vars(other).get(name) is original:
            setattr(other, name, replacement)
    setattr(module, name, replacement)
