"""Hashes of files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal digits, without reading it into memory at once."""
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()
