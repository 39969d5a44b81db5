"""A dataset's folder: find its root and list its content for error messages."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

SPLITS = ('train', 'val')


def find_root(folder: str | Path) -> Path:
    """Return the absolute path of a dataset's folder.

    Raises:
        FileNotFoundError: It does not exist.
    """
    root = Path(os.path.expanduser(folder)).absolute()
    if not root.is_dir():
        raise FileNotFoundError(f'expected a folder with a dataset at {root}; there is none')
    return root


def listing(root: Path, limit: int = 20) -> str:
    """List up to `limit` names in a folder and in its annotations/, images/ and labels/."""
    places = [root, *(root / name for name in ('annotations', 'images', 'labels'))]
    names = [
        str(path.relative_to(root)) + ('/' if path.is_dir() else '')
        for place in places
        if place.is_dir()
        for path in itertools.islice(sorted(place.iterdir()), limit)
    ]
    return ', '.join(names[:limit]) + (', …' if len(names) > limit else '') if names else 'nothing'
