"""Every text file is opened as UTF-8, and every program's output is read as UTF-8.

ruff's PLW1514 sees only calls whose object's type it can infer.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.tool import REPOSITORY

BINARY = ('os', 'Image', 'archive', 'tarfile', 'webbrowser', 'zipfile')
"""Modules and objects whose `open` opens no text."""


def python_files() -> list[Path]:
    """The files under version control, elsewhere all."""
    folders = ('effnet_dense', 'tools', 'benchmarks', 'tests', 'configs')
    return sorted(path for name in folders for path in (REPOSITORY / name).rglob('*.py'))


def text_without_encoding(source: str) -> Iterator[str]:
    """Yield the calls that would use the locale's encoding, with their line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _is_text(node):
            names = {keyword.arg for keyword in node.keywords}
            if not names & {'encoding', None}:
                yield f'{node.lineno}: {ast.unparse(node):.80}'


def _is_text(call: ast.Call) -> bool:
    function = call.func
    name = getattr(function, 'attr', getattr(function, 'id', ''))
    owner = getattr(getattr(function, 'value', None), 'id', '')
    names = {keyword.arg for keyword in call.keywords}
    if name in ('read_text', 'write_text'):
        return len(call.args) == (name == 'write_text')
    if name == 'open' and owner not in BINARY:
        return 'b' not in _mode(call, 1 if isinstance(function, ast.Name) else 0, 'r')
    if name == 'fdopen':
        return 'b' not in _mode(call, 1, 'r')
    if name in ('NamedTemporaryFile', 'TemporaryFile'):
        return 'b' not in _mode(call, 0, 'w+b')
    if name in ('run', 'Popen', 'check_output'):
        return bool(names & {'text', 'universal_newlines'})
    return name == 'FileHandler'


def _mode(call: ast.Call, position: int, default: str) -> str:
    given = call.args[position : position + 1]
    given += [keyword.value for keyword in call.keywords if keyword.arg == 'mode']
    return str(getattr(given[0], 'value', default)) if given else default


@pytest.mark.parametrize(
    ('source', 'found'),
    [
        ("path.read_text(encoding='utf-8')", 0),
        ('path.read_text()', 1),
        ("path.write_text('a')", 1),
        ("path.write_text('a', 'utf-8')", 0),
        ("path.open('rb')", 0),
        ("open(path, 'rb')", 0),
        ('open(path)', 1),
        ("path.open('w')", 1),
        ('Image.open(path)', 0),
        ('subprocess.run(words, text=True)', 1),
        ('subprocess.run(words)', 0),
        ('NamedTemporaryFile()', 0),
        ("NamedTemporaryFile('w')", 1),
    ],
)
def test_the_search(source: str, found: int) -> None:
    assert len(list(text_without_encoding(source))) == found


def test_every_text_file_is_utf8() -> None:
    wrong = [
        f'{path.relative_to(REPOSITORY)}:{line}'
        for path in python_files()
        for line in text_without_encoding(path.read_text(encoding='utf-8'))
    ]
    assert not wrong, '\n'.join(wrong)
