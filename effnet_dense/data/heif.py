"""HEIC and HEIF files, of phones, by pillow-heif where it is installed."""

from __future__ import annotations

from functools import cache

BRANDS = frozenset(
    {b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1', b'msf1', b'heif'}
)
"""Major brands of the files (ISO/IEC 23008-12, annex B)."""

HEAD = 12
"""Bytes that `is_heif` needs."""


def is_heif(content: bytes) -> bool:
    """Whether a file's first bytes are those of HEIC or HEIF."""
    return content[4:8] == b'ftyp' and content[8:HEAD] in BRANDS


@cache
def enable_heif() -> None:
    """Make Pillow read HEIC files.

    Raises:
        ValueError: pillow-heif is not installed.
    """
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise ValueError('a HEIC file, which needs pillow-heif: pip install pillow-heif') from None
    register_heif_opener()
