"""Download a file with a known hash: with a timeout, a size limit and no leftover files."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, unquote
from urllib.request import Request, url2pathname, urlopen

from rich.progress import DownloadColumn

from effnet_dense.utils.atomic import PARTIAL
from effnet_dense.utils.controls import escape_controls
from effnet_dense.utils.progress import progress_bar
from effnet_dense.utils.urls import public_name, split_url, without_user

SILENCE_LIMIT = 60.0
"""Seconds without a byte after which a download fails."""
SIZE_VARIABLE = 'EFFNET_DENSE_MAX_DOWNLOAD_GB'
SIZE_LIMIT = 4.0
"""Gigabytes; the largest published EfficientNet, L2, has 1.9."""
_CHUNK = 1 << 17


def save_url(url: str, path: Path, sha256: str) -> None:
    """Download a URL to a path, replacing what was there; several processes may do so at once.

    User and password of the URL are sent by basic authentication, to its own host only.

    Args:
        url: http, https or file, without fragment.
        path: In an existing folder; unfinished files are removed from it on any exception.
        sha256: The file's hash, or its first digits, in lower case.

    Raises:
        ConnectionError: The server cannot be reached, refuses, sends no byte in `SILENCE_LIMIT`
            seconds, or the file ends early.
        ValueError: The file is larger than the environment variable `SIZE_VARIABLE` allows
            (gigabytes, by default `SIZE_LIMIT`), or its hash differs.
    """
    limit = _size_limit()
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=path.parent) as folder:
        partial = Path(folder, path.name)
        try:
            with partial.open('xb') as file:
                for chunk in _receive(url, path.name, limit):
                    digest.update(chunk)
                    file.write(chunk)
            if digest.hexdigest().startswith(sha256):
                os.replace(partial, path)
                return
        except (OSError, HTTPException) as error:
            raise ConnectionError(_reason(error)) from None
    raise ValueError(
        f'{public_name(url)} is not the expected file: it has sha256 {digest.hexdigest()}, '
        f'expected {sha256}'
    )


def _receive(url: str, name: str, limit: float) -> Iterator[bytes]:
    """Yield a file in chunks; `name` is shown beside the progress bar."""
    parts = split_url(url)
    if parts.scheme == 'file' and not Path(url2pathname(parts.path)).is_file():
        raise FileNotFoundError('no such file')  # a pipe or a device might never end
    with urlopen(_request(parts), timeout=SILENCE_LIMIT) as response:
        length = _announced(response.headers.get('Content-Length', ''))
        _check_size(url, length, limit)
        received = 0
        with progress_bar(DownloadColumn(), transient=True) as progress:
            reader: IO[Any] = progress.wrap_file(response, length, description=name)
            while chunk := reader.read(_CHUNK):
                received += len(chunk)
                _check_size(url, received, limit)
                yield chunk
    if received < length:
        raise ConnectionError(f'the file ended after {received} of {length} bytes')


def _announced(length: str) -> int:
    """Return the length in a response's header; 0 if it is absent or malformed."""
    return int(length) if re.fullmatch(r'\d{1,18}', length) else 0


def _request(parts: SplitResult) -> Request:
    user, _, host = parts.netloc.rpartition('@')
    request = Request(parts._replace(netloc=host).geturl(), headers={'User-Agent': 'effnet_dense'})
    if user:
        token = base64.b64encode(unquote(user).encode()).decode()
        request.add_unredirected_header('Authorization', f'Basic {token}')
    return request


def _size_limit() -> float:
    """Return the largest size of a download in bytes."""
    text = os.environ.get(SIZE_VARIABLE, str(SIZE_LIMIT))
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0 < limit < float('inf'):
        raise ValueError(f'{SIZE_VARIABLE} must be a number of gigabytes, got {text!r}')
    return limit * 1e9


def _check_size(url: str, size: int, limit: float) -> None:
    if size > limit:
        raise ValueError(
            f'{public_name(url)} has {size / 1e9:.6g} GB or more, but downloads are limited by '
            f'{SIZE_VARIABLE}={limit / 1e9:g}: raise it if you expect such a file'
        )


def _reason(error: Exception) -> str:
    cause = getattr(error, 'reason', error)  # urllib wraps what happened while connecting
    if isinstance(cause, TimeoutError):
        return f'no byte in {SILENCE_LIMIT:g} s'
    if isinstance(error, IncompleteRead):
        return 'the file ended after a part of it'
    if isinstance(error, HTTPException):
        return f'no valid answer ({type(error).__name__})'
    # The server chooses the reason of a status: it may hold control characters.
    return escape_controls(without_user(str(error)), lines=False)
