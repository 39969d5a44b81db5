"""Options that nothing reads."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.engine.checks.options import check_option, keys_of

KNOWN = {'model', 'train_dataloader'}
CONFIG: dict[str, Any] = {
    'size': (8, 8),
    'root': 'data/',
    'nothing': None,
    'theirs': 'read by a hook',
    'model': {'size': [8, 8]},
    'train_dataloader': {'ann': 'data/x.json', 'pipeline': [{'a': 1}, {'scale': (8, 8)}]},
}


def test_keys_that_are_read() -> None:
    for key in ('model.size', 'train_dataloader.new', 'theirs'):
        check_option(CONFIG, key, KNOWN)


@pytest.mark.parametrize(
    ('key', 'words'),
    [
        ('size', r'parsed.*write train_dataloader\.pipeline\.1\.scale instead'),
        ('root', r'write train_dataloader\.ann instead'),
        ('nothing', 'write the keys themselves'),
        ('modell.size', "nothing reads 'modell'; did you mean model"),
    ],
)
def test_keys_that_are_not(key: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_option(CONFIG, key, KNOWN)


def test_keys_of_a_value() -> None:
    assert list(keys_of({'a': [{'b': 1}, 1], 'c': True}, 1)) == ['a.0.b', 'a.1']
