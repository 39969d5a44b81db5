"""A list that grows in a file."""

from __future__ import annotations

import json
from pathlib import Path

from effnet_dense.inference.json_list import JsonList
from effnet_dense.utils.atomic import partial_path


def test_an_unfinished_list_has_another_name(tmp_path: Path) -> None:
    path = tmp_path / 'x.json'
    entries = JsonList(path)
    entries.add({'a': 1})
    entries.flush()
    assert not path.exists() and '{"a": 1}' in partial_path(path).read_text(encoding='utf-8')
    entries.close()
    assert (
        json.loads(path.read_text(encoding='utf-8')) == [{'a': 1}]
        and not partial_path(path).exists()
    )


def test_what_stands_around_the_list(tmp_path: Path) -> None:
    entries = JsonList(tmp_path / 'x.json', '{"a": ')
    entries.add(1)
    entries.add(2)
    entries.close(', "b": 3}')
    assert json.loads((tmp_path / 'x.json').read_text(encoding='utf-8')) == {'a': [1, 2], 'b': 3}
