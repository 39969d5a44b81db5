"""A layout that was recognised, before its annotations are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from effnet_dense.data.formats.folders import Folders
from effnet_dense.data.formats.found import FoundData


@dataclass(frozen=True)
class Layout:
    """A format that a folder holds.

    Attributes:
        format: As messages name it.
        source: Where its annotations are, relative to the folder: 'data.yaml'.
        parts: Which of 'train', 'val', 'test' and 'all' it has.
        read: Reads it. Raises ValueError for faulty input, with file and record.
    """

    format: str
    source: str
    parts: frozenset[str]
    read: Callable[[], FoundData]


Locate = Callable[[Path, Folders], Layout | None]
"""Look for a format in a folder; None if it is not there."""
