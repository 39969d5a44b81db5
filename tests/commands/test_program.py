"""Errors that a user can act on: one line, exit status 2."""

from __future__ import annotations

import argparse

import pytest

from effnet_dense.commands.config_arguments import config_parser
from effnet_dense.commands.program import message, run


def fail_with(error: BaseException, *words: str) -> int:
    """The exit status of a tool that raises."""

    def tool(args: argparse.Namespace) -> None:
        raise error

    return run(tool, config_parser('A tool.'), ['some_config', *words])


@pytest.mark.parametrize(
    'error', [ValueError('three, not four'), FileNotFoundError('three, not four')]
)
def test_one_line_and_status_2(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert fail_with(error) == 2
    assert capsys.readouterr().err == 'error: three, not four\n'


def test_a_key_error_has_no_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    fail_with(KeyError('no such class'))
    assert capsys.readouterr().err == 'error: no such class\n'


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail_with(ValueError('three, not four'), '--debug') == 2
    shown = capsys.readouterr().err
    assert 'Traceback' in shown
    assert 'in tool' in shown


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match='a bug'):
        fail_with(RuntimeError('a bug'))


def test_the_last_line_of_a_workers_error() -> None:
    text = (
        'Caught ValueError in DataLoader worker process 0.\nOriginal Traceback (most recent call '
        'last):\n  File "x.py", line 1, in y\nValueError: cannot decode image a.jpg: empty\n'
    )
    assert message(ValueError(text)) == 'cannot decode image a.jpg: empty'


@pytest.mark.parametrize('words', [['lr'], ['a=[1,2'], ['a=(1,2]']])
def test_malformed_options_are_argparses_error(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        run(lambda args: None, config_parser('A tool.'), ['some_config', '--cfg-options', *words])
    assert stop.value.code == 2
    assert 'expected KEY=VALUE' in capsys.readouterr().err


def test_options_are_parsed_as_mmengine_does() -> None:
    words = ['c', '--cfg-options', 'a.b=1e-3', 'c=None', 'd=[(1,2),x]', '--cfg-options', 'e=True']
    parsed = config_parser('A tool.').parse_args(words).cfg_options
    assert parsed == {'a.b': 1e-3, 'c': None, 'd': [(1, 2), 'x'], 'e': True}
