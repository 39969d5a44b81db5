"""Check the size and the encoding of a config file before it is parsed."""

from __future__ import annotations

import codecs
from pathlib import Path

MAX_BYTES = {'.py': 8 * 2**20}
MAX_BYTES_OF_DATA = 2**20
"""PyYAML reads some 100 kB in a second."""
OTHER_MARKS = {
    codecs.BOM_UTF32_LE: 'UTF-32',  # begins with UTF-16's
    codecs.BOM_UTF32_BE: 'UTF-32',
    codecs.BOM_UTF16_LE: 'UTF-16',
    codecs.BOM_UTF16_BE: 'UTF-16',
}


def read_config_text(path: Path) -> str:
    """Read a config's text; a byte order mark of UTF-8 is dropped.

    Raises:
        ValueError: It is too large, or not in UTF-8.
    """
    limit = MAX_BYTES.get(path.suffix, MAX_BYTES_OF_DATA)
    size = path.stat().st_size
    if size > limit:
        raise ValueError(f'it has {size} bytes; a config {path.suffix} may have {limit}')
    content = path.read_bytes()
    for mark, name in OTHER_MARKS.items():
        if content.startswith(mark):
            raise ValueError(f'it is encoded in {name}: save it as UTF-8')
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(
            f'it is not encoded in UTF-8 (byte 0x{content[error.start]:02x} at position '
            f'{error.start}): save it as UTF-8'
        ) from error
    if '\0' in text:
        raise ValueError('it contains null characters: save it as text in UTF-8')
    return text
