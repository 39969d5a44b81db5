"""An output path that is empty or cannot be written ends a tool before any work, in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from effnet_dense.utils.output_folders import check_file, check_folder
from tests.helpers.tiny_models import DETECTOR
from tests.helpers.tool import call

# Options of results, with words that a tool needs besides; nothing else of these exists.
OUTPUTS = {
    'train --work-dir': ['no_config', '--data', 'no_data'],
    'test --work-dir': ['no_config', 'no.pth', '--data', 'no_data'],
    'test --show-dir': ['no_config', 'no.pth'],
    'test --out': ['no_config', 'no.pth'],
    'browse_dataset --work-dir': ['no_config', '--data', 'no_data'],
    'browse_dataset --out': ['no_config'],
    'infer --out': ['no_config', 'no.pth', 'no.jpg'],
    'memory --json': ['no_config'],
    'scaling table --out': [],
    'scaling search --work-dir': ['no_config'],
}
INPUTS = {
    'train --data': ['no_config'],
    'train --resume': ['no_config'],
    'test --data': ['no_config', 'no.pth'],
    'infer --ann-file': ['no_config', 'no.pth', 'no.jpg', '--out', 'found'],
}
POSITIONS = {
    'report': [''],
    'train': [''],
    'test': ['no_config', ''],
    'infer': ['no_config', 'no.pth', '', '--out', 'found'],
}


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Every tool makes loggers."""


def run(option: str, more: list[str], value: object) -> int:
    tool, *words = option.split()
    return call(tool, *words[:-1], *more, words[-1], value)


def single_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the error, and check that it is one line without a bare error of the system."""
    shown = capsys.readouterr()
    assert not shown.out
    lines = shown.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith('error: ') and '[Errno' not in lines[0]
    return lines[0]


@pytest.mark.parametrize('value', ['', ' '])
@pytest.mark.parametrize('option', [*OUTPUTS, *INPUTS])
def test_an_empty_path(
    option: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(option, {**OUTPUTS, **INPUTS}[option], value) == 2
    assert 'expected a' in single_line(capsys) and not list(tmp_path.iterdir())


@pytest.mark.parametrize('tool', POSITIONS)
def test_an_empty_argument(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(tool, *POSITIONS[tool]) == 2
    assert 'expected a path' in single_line(capsys) and not list(tmp_path.iterdir())


def unusable(kind: str, folder: Path) -> str:
    """Return a path below which nothing can be written."""
    if kind == 'proc':
        return '/proc/x'
    if kind == 'long':
        return str(folder / ('x' * 300))
    if kind == 'link':
        (folder / 'link').symlink_to(folder / 'absent')
        return str(folder / 'link')
    if kind == 'pipe':
        os.mkfifo(folder / 'pipe')
        return str(folder / 'pipe')
    (folder / 'file').write_text('mine', encoding='utf-8')
    return str(folder / ('file' if kind == 'file' else 'file/below'))


@pytest.mark.parametrize('kind', ['file', 'under a file', 'proc', 'long', 'link', 'pipe'])
@pytest.mark.parametrize('option', OUTPUTS)
def test_a_path_that_cannot_be_written(
    option: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = unusable(kind, tmp_path)
    value = f'{path}/found.json' if 'json' in option or option == 'test --out' else path
    before = sorted(tmp_path.rglob('*'))
    assert run(option, OUTPUTS[option], value) == 2
    assert f'cannot write results into {path}: ' in single_line(capsys)
    assert sorted(tmp_path.rglob('*')) == before


def test_a_folder_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The superuser may write anywhere: here the system refuses."""

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, 'Permission denied', str(tmp_path / 'tmp123'))

    monkeypatch.setattr('tempfile.TemporaryFile', refuse)
    assert call('train', DETECTOR, '--work-dir', tmp_path / 'a' / 'b') == 2
    line = single_line(capsys)
    assert line.endswith(f'no file can be made in {tmp_path} (Permission denied)')


def test_checking_leaves_nothing(tmp_path: Path) -> None:
    before = tmp_path.stat().st_mtime_ns
    check_folder(tmp_path)
    check_folder(tmp_path / 'a' / 'b')
    check_file(tmp_path / 'a' / 'x.json')
    assert not list(tmp_path.iterdir()) and tmp_path.stat().st_mtime_ns >= before


def test_a_work_folder_of_the_config(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = unusable('file', tmp_path)
    words = ['--data', tiny_data, '--cfg-options', f'work_dir={path}']
    assert call('train', DETECTOR, *words) == 2
    assert f'cannot write results into {path}' in capsys.readouterr().err.splitlines()[-1]
