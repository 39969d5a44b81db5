"""`effnet-dense run`: stock scripts of mmdet and mmseg, with our imports first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from effnet_dense.commands.main import main
from effnet_dense.commands.script import find_script
from tests.helpers.tool import REPOSITORY, environment

SCRIPT = """
import sys
import helper
print(__name__, sys.argv[1:], helper.VALUE, 'effnet_dense.registry' in sys.modules)
if '--fail' in sys.argv:
    raise ValueError('its own')
sys.exit(int(sys.argv[1]))
"""


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run `effnet-dense run words…` in its own process."""
    return subprocess.run(
        [sys.executable, '-m', 'effnet_dense', 'run', *map(str, words)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        encoding='utf-8',
        errors='replace',
    )


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script that imports a file next to it."""
    (tmp_path / 'scripts').mkdir()
    (tmp_path / 'scripts' / 'helper.py').write_text('VALUE = 5\n', encoding='utf-8')
    path = tmp_path / 'scripts' / 'own.py'
    path.write_text(SCRIPT, encoding='utf-8')
    return path


def test_words_status_and_neighbours(script: Path, tmp_path: Path) -> None:
    done = run(tmp_path, 'scripts/own.py', 7, '--help', '--debug', '--', 'x')
    assert done.returncode == 7, done.stderr
    assert done.stdout == "__main__ ['7', '--help', '--debug', '--', 'x'] 5 True\n"


def test_its_errors_are_pythons(script: Path, tmp_path: Path) -> None:
    done = run(tmp_path, script, '0', '--fail')
    assert done.returncode == 1
    assert done.stderr.startswith('Traceback')
    assert 'own.py' in done.stderr and 'runpy' not in done.stderr
    assert done.stderr.endswith('ValueError: its own\n')


@pytest.mark.slow
def test_mmdet_prints_a_config_that_inherits_a_shipped_one(tmp_path: Path) -> None:
    config = tmp_path / 'own.py'
    config.write_text("_base_ = 'effnet_dense::effnet_lite0_retinanet_finetune.py'\n", 'utf-8')
    done = run(tmp_path, 'mmdet:misc/print_config.py', config)
    assert done.returncode == 0, done.stderr
    assert "arch='lite0'" in done.stdout


@pytest.mark.slow
def test_a_script_that_needs_mmcvs_operators(tmp_path: Path) -> None:
    """Without this package it ends with mmcv's missing extension, where that is not compiled."""
    done = run(tmp_path, 'mmdet:test.py', '--help')
    assert done.returncode == 0, done.stderr
    assert 'usage: ' in done.stdout


@pytest.mark.parametrize(
    ('name', 'hint'),
    [
        ('mmdet:test', 'no script .test. in mmdet; it has test.py'),
        ('mmdet:browse_dataset.py', 'analysis_tools/browse_dataset.py'),
        ('mmdet:../configs/x.py', 'no script'),
        ('mmdett:test.py', "no package 'mmdett' is installed"),
        ('a-b:test.py', "no package 'a-b' is installed"),
        ('nowhere.py', 'scripts of mmdet are named mmdet:test.py'),
        ('json:tool.py', 'json has no scripts'),
    ],
)
def test_unknown_scripts(name: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileNotFoundError, match=hint.replace('(', r'\(')):
        find_script(name)
    assert main(['run', name]) == 2
    assert capsys.readouterr().err.startswith('error: ')


def test_named_scripts_are_files() -> None:
    for name in ('mmdet:misc/print_config.py', 'mmseg:test.py', 'mmdet:train.py'):
        assert find_script(name).is_file()
    assert find_script(str(REPOSITORY / 'tools' / 'train.py')).is_file()
