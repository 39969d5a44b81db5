"""What the servers in tests/adversaries do not show: names in the cache, headers, reasons."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from http.client import BadStatusLine
from pathlib import Path
from urllib.error import URLError

import pytest

from effnet_dense.weights.download import cache_name
from effnet_dense.weights.transfer import _announced, _reason, save_url
from tests.helpers.server import content, serving

DATA = b'abc' * 100_000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize(
    ('name', 'sha256', 'expected'),
    [
        ('b0-01234567.pth', '01234567', 'b0-01234567.pth'),
        ('b0-01234567.pth', '0123456789', 'b0-01234567.pth'),
        ('b0-0123456789.pth', '01234567', 'b0-0123456789.pth'),
        ('b0-89abcdef.pth', '0123456789', '01234567-b0-89abcdef.pth'),
        ('%2fetc%2fpasswd', '0123456789', '01234567-2fetc_2fpasswd'),
        ('..', '0123456789', '01234567-weights'),
    ],
)
def test_names_in_the_cache(name: str, sha256: str, expected: str) -> None:
    assert cache_name(name, sha256) == expected


@pytest.mark.parametrize('length', ['', '-5', 'many', '1' * 5000, '5, 5'])
def test_nonsense_as_length(length: str) -> None:
    assert _announced(length) == 0


def test_reasons_name_no_user() -> None:
    assert _reason(URLError(TimeoutError())) == 'no byte in 60 s'
    assert _reason(BadStatusLine('http://a:b@c')) == 'no valid answer (BadStatusLine)'
    assert _reason(OSError('Redirection to http://a:b@c/')) == 'Redirection to http://c/'


def test_several_at_once(tmp_path: Path) -> None:
    path = tmp_path / 'x.pth'
    with serving(content(DATA)) as address, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: save_url(f'http://{address}/x', path, SHA256), range(8)))
    assert path.read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_readable_as_usual(tmp_path: Path) -> None:
    """Not private like the folder in which it is received: caches may be shared."""
    path, other = tmp_path / 'x.pth', tmp_path / 'other'
    other.touch()
    with serving(content(DATA)) as address:
        save_url(f'http://{address}/x', path, SHA256)
    assert path.stat().st_mode == other.stat().st_mode
