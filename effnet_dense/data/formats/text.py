"""Read text and JSON files of any of Unicode's encodings, of a size that fits into memory."""

from __future__ import annotations

import codecs
import gc
import json
import math
from pathlib import Path
from typing import Any

from effnet_dense.utils.regular_files import open_regular

MAX_BYTES = 4 * 2**30
"""Largest annotation file. COCO's own of 860,000 annotations has 0.45 GB."""

MAX_SMALL = 64 * 2**20
"""Largest file that belongs to one image, or only lists names."""

_MARKS = (
    (codecs.BOM_UTF8, 'utf-8-sig'),
    *((mark, 'utf-32') for mark in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)),
    *((mark, 'utf-16') for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)),
)


def read_bytes(path: Path, limit: int = MAX_SMALL) -> bytes:
    """Read a regular file.

    Raises:
        ValueError: It cannot be read, or is larger than the limit; the message names it.
    """
    try:
        with open_regular(path) as file:
            if file.seek(0, 2) > limit:
                raise ValueError(f'it is larger than {limit} bytes')
            file.seek(0)
            content = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        raise ValueError(f'{path} cannot be read: {reason}') from error
    return content


def decode(content: bytes, path: Path) -> tuple[str, str]:
    """Decode text by its byte order mark, or by the zeros of UTF-16; UTF-8 without either.

    Returns:
        The text, and the name of its encoding.

    Raises:
        ValueError: It is no such text; the message names the file and the byte.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if encoding is None and content[:2].count(0) == 1 and len(content) % 2 == 0:
        encoding = 'utf-16-be' if content[0] == 0 else 'utf-16-le'
    encoding = encoding or 'utf-8'
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not {encoding.upper()}: byte {error.start}') from error


def read_text(path: Path, limit: int = MAX_SMALL) -> str:
    """Read a text file (raises: see `read_bytes` and `decode`)."""
    return decode(read_bytes(path, limit), path)[0]


def read_json(path: Path, limit: int = MAX_SMALL) -> tuple[Any, str]:
    """Read a JSON file.

    Returns:
        Its content, and the name of its encoding.

    Raises:
        ValueError: It is empty or not JSON; the message names the file and the line.
    """
    text, encoding = decode(read_bytes(path, limit), path)
    if not text.strip():
        raise ValueError(f'{path} is empty; expected JSON')
    collecting = gc.isenabled()
    gc.disable()  # COCO's 860,000 annotations have no cycles to be found over and over again
    try:
        return json.loads(text), encoding
    except json.JSONDecodeError as error:
        place = f'line {error.lineno}, column {error.colno}'
        raise ValueError(f'{path} is not valid JSON: {error.msg} at {place}') from error
    except (ValueError, RecursionError) as error:  # a huge number, nested too deeply
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    finally:
        if collecting:
            gc.enable()


def read_head(path: Path, size: int) -> str:
    """Read the text of a file's first bytes; '' if it cannot be read or is no text."""
    try:
        with open_regular(path) as file:
            content = file.read(size)
    except (OSError, ValueError):
        return ''
    for cut in range(4):  # a character may be cut off
        try:
            return decode(content[: len(content) - cut], path)[0]
        except ValueError:
            continue
    return ''


def finite_number(text: str, what: str) -> float:
    """Read a number.

    Args:
        text: What the file says.
        what: Its role, for the message: 'as xmin'.

    Raises:
        ValueError: It is no finite number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f'expected a number {what}, got {text[:20]!r}')
    return value
