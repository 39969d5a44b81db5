"""Give paths to libraries in C++, which crash on names that are not UTF-8."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_utf8(text: str) -> bool:
    """Whether a path has only characters; Python shows other bytes as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def native_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield a path for a library in C++: the same, or for a name that is not UTF-8 a link to it.

    OpenCV's binding passes a null pointer for such a name, which ends the process.

    Args:
        path: A file to read, or to write. It keeps its suffix.
    """
    given = os.fspath(path)
    if is_utf8(given):
        yield given
        return
    suffix = Path(given).suffix
    with tempfile.TemporaryDirectory(prefix='effnet_dense-') as folder:
        link = os.path.join(folder, 'link' + (suffix if is_utf8(suffix) else ''))
        os.symlink(os.path.abspath(given), link)
        yield link
