"""Find values of a YAML or JSON config by which a library would run what a file holds.

mmengine's `load` reads a file by its suffix, and its readers of pickles and of YAML build any
Python object. mmseg's `decode_backend: pickle` does the same with images.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

FORMATS = ('pkl', 'pickle', 'yaml', 'yml')
SAFE_KEYS = ('checkpoint', 'load_from', 'out_file_path', 'proposals_file')
"""Weights, which this package reads safely, and files that are only written."""


def unpickled_files(node: Any, prefix: str = '', key: Any = '') -> Iterator[tuple[str, str]]:
    """Yield the dotted keys and values that name such files or formats."""
    if isinstance(node, str):
        # As `mmengine.load` finds the format, so that a file named 'pkl' counts, too.
        if node.split('.')[-1] in FORMATS and key not in SAFE_KEYS:
            yield prefix, node
        return
    if not isinstance(node, dict | list | tuple):
        return
    for name, child in node.items() if isinstance(node, dict) else enumerate(node):
        inner = name if isinstance(node, dict) else key
        yield from unpickled_files(child, f'{prefix}.{name}' if prefix else str(name), inner)
