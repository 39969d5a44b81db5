"""Every test that needs a GPU names its form without one, or why there is none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
FORM = re.compile(r'On the CPU: (?:([\w/]+\.py)::)?(test_\w+)\.')
REASON = re.compile(r'Only on a GPU: .{10,}', re.DOTALL)
MARK = 'pytest.mark.gpu'

Function = ast.FunctionDef


def functions(tree: ast.Module) -> dict[str, Function]:
    """The module's test functions by name."""
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name: node for node in found if node.name.startswith('test_')}


def gpu_tests(tree: ast.Module) -> list[Function]:
    """Those marked `gpu`, by themselves or by the module."""
    marks = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'pytestmark'
    ]
    everything = any(MARK in ast.unparse(mark) for mark in marks)
    return [
        function
        for function in functions(tree).values()
        if everything or any(MARK in ast.unparse(each) for each in function.decorator_list)
    ]


def form_of(function: Function, path: Path) -> str | None:
    """What is wrong with a docstring; None if nothing is."""
    text = ' '.join((ast.get_docstring(function) or '').split())
    if REASON.search(text):
        return None
    match = FORM.search(text)
    if match is None:
        return 'expected "On the CPU: test_name." or "Only on a GPU: reason" in the docstring'
    place = TESTS / match[1] if match[1] else path
    if not place.is_file():
        return f'no file {match[1]}'
    tree = ast.parse(place.read_text(encoding='utf-8'))
    if match[2] not in functions(tree):
        return f'no test {match[2]} in {place.name}'
    if match[2] in [test.name for test in gpu_tests(tree)]:
        return f'{match[2]} needs a GPU itself'
    return None


def found() -> Iterator[tuple[str, str | None]]:
    """Every test that needs a GPU, and what is wrong with it."""
    for path in sorted(TESTS.rglob('test_*.py')):
        text = path.read_text(encoding='utf-8')
        if MARK in text:
            for function in gpu_tests(ast.parse(text)):
                yield f'{path.name}::{function.name}', form_of(function, path)


def test_every_one_has_a_form_or_a_reason() -> None:
    tests = dict(found())
    assert len(tests) >= 8
    assert {name: wrong for name, wrong in tests.items() if wrong} == {}


@pytest.mark.parametrize(
    ('docstring', 'wrong'),
    [
        ('', 'expected'),
        ('On the CPU: test_a.', None),
        ('On the CPU: test_b.', 'no test test_b in'),
        ('On the CPU: test_gpu.', 'needs a GPU itself'),
        ('On the CPU: models/test_none.py::test_a.', 'no file models/test_none.py'),
        ('Only on a GPU: it measures the allocator.', None),
    ],
)
def test_docstrings(docstring: str, wrong: str | None, tmp_path: Path) -> None:
    source = f'def test_a(): pass\n@{MARK}\ndef test_gpu():\n    """{docstring}"""\n'
    path = tmp_path / 'test_x.py'
    path.write_text(source, encoding='utf-8')
    (function,) = gpu_tests(ast.parse(source))
    found = form_of(function, path)
    assert found is None if wrong is None else wrong in str(found)


def test_marks_of_modules() -> None:
    tree = ast.parse(f'pytestmark = [{MARK}]\ndef test_a(): pass\ndef helper(): pass\n')
    assert [function.name for function in gpu_tests(tree)] == ['test_a']
