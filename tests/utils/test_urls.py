from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.utils.urls import public_name, split_url, without_user


@pytest.mark.parametrize(
    ('source', 'shown'),
    [
        (
            'https://a:b@host:80/x.pth?token=c#sha256=01234567',
            'https://host:80/x.pth#sha256=01234567',
        ),
        ('https://a:b@c@host/x@2.pth', 'https://host/x@2.pth'),
        ('https://host/x.pth#token', 'https://host/x.pth'),
        ('timm://efficientnet_b0.ra_in1k', 'timm://efficientnet_b0.ra_in1k'),
        ('a?b@c#d.pth', 'a?b@c#d.pth'),
        (Path('/a/b.pth'), '/a/b.pth'),
    ],
)
def test_public_names(source: str | Path, shown: str) -> None:
    assert public_name(source) == shown


def test_users_within_a_text() -> None:
    text = "load_from = 'http://a:b@host/x'\nsee me@home, s3://k:s@bucket/y"
    assert without_user(text) == "load_from = 'http://host/x'\nsee me@home, s3://bucket/y"


@pytest.mark.parametrize('url', ['http://a:secret@[::1/x', 'http://a:secret/x@host/y'])
def test_malformed_urls_are_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match='malformed URL') as raised:
        split_url(url)
    assert 'secret' not in str(raised.value)
