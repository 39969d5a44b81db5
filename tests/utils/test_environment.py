"""Versions and hardware."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path

from effnet_dense.utils.environment import git_commit, installed_versions, processor_name


def git(folder: Path, *words: str) -> str:
    who = ['-c', 'user.name=a', '-c', 'user.email=a@b']
    command = ['git', *who, *words]
    return subprocess.run(
        command,
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        encoding='utf-8',
        errors='replace',
    ).stdout.strip()


def test_versions_of_what_is_installed() -> None:
    assert installed_versions(['torch', 'no-such-package', 'rich']) == {
        'torch': metadata.version('torch'),
        'rich': metadata.version('rich'),
    }


def test_processor(tmp_path: Path) -> None:
    info = tmp_path / 'cpuinfo'
    info.write_text(
        'processor\t: 0\nmodel name\t: Some CPU: fast\nmodel name\t: Other\n', encoding='utf-8'
    )
    assert processor_name(info) == 'Some CPU: fast'
    assert processor_name(tmp_path / 'missing')


def test_commit_with_changes_and_of_a_folder_inside(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None
    git(tmp_path, 'init', '-q')
    assert git_commit(tmp_path) is None
    (tmp_path / 'inner').mkdir()
    file = tmp_path / 'inner' / 'file'
    file.write_text('1', encoding='utf-8')
    git(tmp_path, 'add', '.')
    git(tmp_path, 'commit', '-qm', 'one')
    commit = git(tmp_path, 'rev-parse', 'HEAD')[:12]
    assert git_commit(tmp_path) == commit
    assert git_commit(tmp_path / 'inner') is None
    file.write_text('2', encoding='utf-8')
    assert git_commit(tmp_path) == f'{commit} and changes'
