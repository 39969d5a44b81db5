"""`effnet-dense`: light help, all commands, unknown ones, completion."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from effnet_dense.commands import memory, scaling
from effnet_dense.commands.completion import SHELLS
from effnet_dense.commands.config_arguments import SKIPPED_SHARE, SPLITS, VAL_SHARE
from effnet_dense.commands.main import COMMANDS, complete, load, main
from tests.helpers.tool import REPOSITORY, environment

HEAVY = ('torch', 'numpy', 'mmengine', 'mmdet', 'mmcv', 'PIL', 'effnet_dense.engine')
WATCH = f"""
import atexit, sys
atexit.register(lambda: print('heavy:', *[name for name in {HEAVY} if name in sys.modules]))
"""

BASH = """
ends() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _shtab_effnet_dense
    echo "${COMPREPLY[@]}"
}
ends effnet-dense tr
ends effnet-dense train effnet_lite0_ | tr ' ' '\\n' | grep camvid | xargs
ends effnet-dense train x --im
ends effnet-dense scaling ta
ends effnet-dense train x --precision ''
"""


def python(code: str, *words: str) -> str:
    """The output of code in a new process that says at its end which heavy modules it imported."""
    done = subprocess.run(
        [sys.executable, '-c', WATCH + code, *words],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        encoding='utf-8',
        errors='replace',
    )
    assert 'Traceback' not in done.stderr, done.stderr
    return done.stdout


def test_help_and_completion_import_no_framework() -> None:
    """One process for all: the first command that imports one would spoil the rest."""
    code = """
from effnet_dense.commands.main import COMMANDS, main
for words in [[], ['--version'], *([name, '--help'] for name in COMMANDS), ['completion', 'bash'],
              ['data', 'x', '--val-share', 'y'], ['report', '']]:
    try:
        status = main(words)
    except SystemExit as stop:
        status = stop.code
    assert bool(status) == (words[:1] in (['data'], ['report']) and '--help' not in words), words
"""
    shown = python(code)
    assert shown.strip().endswith('heavy:')
    assert shown.count('Examples:') == len(COMMANDS) + 1
    assert 'effnet_lite0_retinanet_finetune --data demo' in shown


@pytest.mark.parametrize('tool', ['train', 'scaling'])
def test_help_of_tools_imports_no_framework(tool: str) -> None:
    code = f"import runpy; sys.argv = ['x', '--help']; runpy.run_path('tools/{tool}.py', {{}}, "
    assert python(code + "'__main__')").strip().endswith('heavy:')


def test_every_command_has_a_summary_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        module = load(name)
        first, _, rest = str(module.__doc__).partition('\n')
        assert first.endswith('.')
        assert f'  effnet-dense {name} ' in rest.partition('\nExamples:\n')[2]
        with pytest.raises(SystemExit, match='0'):
            main([name, '--help'])
        assert f'Usage: effnet-dense {name} ' in capsys.readouterr().out


@pytest.mark.parametrize('shell', SHELLS)
def test_completion_has_commands_options_and_configs(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['completion', shell]) == 0
    script = capsys.readouterr().out
    for word in (*COMMANDS, 'image-size', 'cfg-options', 'bf16'):
        assert word in script
    assert ('effnet_lite0_retinanet_finetune' in script) == (shell != 'tcsh')


def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['completion', 'bash']) == 0
    path = tmp_path / 'completion.bash'
    path.write_text(capsys.readouterr().out + BASH, encoding='utf-8')
    lines = subprocess.check_output(
        ['bash', str(path)], cwd=tmp_path, encoding='utf-8'
    ).splitlines()
    assert lines == [
        'train',
        'effnet_lite0_bifpn_camvid effnet_lite0_fpn_camvid',
        '--image-size',
        'table',
        'fp32 fp16 bf16',
    ]


@pytest.mark.parametrize(
    ('word', 'hint'), [('trian', 'did you mean train?'), ('qqq', 'expected one of train, test')]
)
def test_an_unknown_command(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='2'):
        main([word])
    assert f'no command {word!r}; {hint}' in capsys.readouterr().err


def test_an_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='2'):
        main(['train', 'some', '--batchsize=3'])
    assert '--batchsize=3; did you mean --batch-size?' in capsys.readouterr().err


def test_a_usage_error_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='2'):
        main(['train', 'some', '--epochs', '0'])
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith('error: argument --epochs: ')
    assert hint == 'see `effnet-dense train --help`'


def test_titles_of_groups_are_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='0'):
        main(['train', '--help'])
    shown = capsys.readouterr().out
    assert 'Settings (each updates every part of the config that depends on it):' in shown


def test_the_module_is_the_program() -> None:
    words = [sys.executable, '-m', 'effnet_dense', 'report', '']
    done = subprocess.run(
        words, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, encoding='utf-8'
    )
    assert done.returncode == 2
    assert done.stderr.startswith('error: ') and done.stderr.count('\n') == 1


def test_repeated_values_are_those_of_their_rooms() -> None:
    """They are written twice, because their rooms import torch or numpy."""
    from effnet_dense.analysis.memory import batch, config_forecast
    from effnet_dense.analysis.scaling import networks, suggest
    from effnet_dense.data import folders, skipping, splitting
    from effnet_dense.lean import LEVELS
    from effnet_dense.settings import LEAN_LEVELS

    assert (VAL_SHARE, SKIPPED_SHARE) == (splitting.VAL_SHARE, skipping.DEFAULT_LIMIT)
    assert SPLITS == folders.SPLITS
    assert LEAN_LEVELS == LEVELS
    assert (memory.OBJECTS, memory.RESERVE) == (batch.OBJECTS, config_forecast.RESERVE)
    assert scaling.TASKS == networks.TASKS
    assert scaling.FAMILY_NAMES == networks.FAMILY_NAMES
    assert scaling.SUGGESTED == suggest.TASKS


def test_every_parser_has_the_flag_of_tracebacks() -> None:
    def leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
        inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        return [leaf for a in inner for child in a.choices.values() for leaf in leaves(child)] or [
            parser
        ]

    for parser in leaves(complete()):
        assert '--debug' in parser._option_string_actions, parser.prog
