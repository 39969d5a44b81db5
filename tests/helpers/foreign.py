"""Files of the user's, and the bytes of all files in a folder."""

from __future__ import annotations

from pathlib import Path

FOREIGN = b'mine'


def content(folder: Path) -> dict[str, bytes]:
    """Bytes of all files below a folder."""
    files = (path for path in folder.rglob('*') if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def foreign(path: Path) -> Path:
    """Write a file of the user's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(FOREIGN)
    return path
