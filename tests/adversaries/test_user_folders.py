"""Paths that begin with `~` and the name of a user who does not exist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.data.folders import find_root
from effnet_dense.weights import fetch
from effnet_dense.weights.safe import safe_load

NOBODY = '~no-such-user/a'


@pytest.mark.parametrize('read', [fetch, safe_load, find_root])
def test_an_unknown_user_is_a_missing_file(
    read: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    with pytest.raises(FileNotFoundError, match='~no-such-user'):
        read(NOBODY)
    (tmp_path / 'a').write_bytes(b'')
    with pytest.raises((FileNotFoundError, ValueError)) as known:
        if read is fetch:
            raise FileNotFoundError(str(fetch('~/a')))
        read('~/a')
    assert str(tmp_path) in str(known.value)
