"""Show URLs without credentials."""

from __future__ import annotations

import re
from os import PathLike
from urllib.parse import SplitResult, urlsplit

_USER = re.compile(r'(?<=://)[^/\s]+@')


def split_url(url: str) -> SplitResult:
    """Split a URL; unlike those of `urlsplit`, error messages do not repeat it.

    Raises:
        ValueError: Host or port are malformed.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(
            'malformed URL: expected scheme://host:port/path, with special characters in user and '
            'password as %XX'
        ) from None
    return parts


def without_user(text: str) -> str:
    """Remove `user:password@` from the URLs in a text."""
    return _USER.sub('', text)


def public_name(source: str | PathLike[str]) -> str:
    """Return a path unchanged, and a URL without user, password and query.

    Queries may hold the tokens of signed URLs.
    """
    text = str(source)
    if '://' not in text:
        return text
    address, _, fragment = text.partition('#')
    shown = without_user(address.partition('?')[0])
    return f'{shown}#{fragment}' if fragment.startswith('sha256=') else shown
