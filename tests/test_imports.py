"""The contracts of pyproject.toml between the package's rooms, checked by import-linter."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import grimp

EXCEPTIONS = {('effnet_dense.models.acceleration', 'effnet_dense.lean')}
LINT = 'from importlinter.cli import lint_imports_command; lint_imports_command()'


def test_contracts_are_kept(repository: Path) -> None:
    words = [sys.executable, '-c', LINT, '--no-cache']
    result = subprocess.run(
        words, cwd=repository, capture_output=True, text=True, encoding='utf-8', errors='replace'
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_contracts_have_one_exception(repository: Path) -> None:
    settings = tomllib.loads((repository / 'pyproject.toml').read_text(encoding='utf-8'))['tool'][
        'importlinter'
    ]
    ignored = {line for each in settings['contracts'] for line in each.get('ignore_imports', ())}
    assert ignored == {f'{importer} -> {imported}' for importer, imported in EXCEPTIONS}


def test_no_circle_between_rooms() -> None:
    graph = grimp.build_graph('effnet_dense', exclude_type_checking_imports=True, cache_dir=None)
    for importer, imported in EXCEPTIONS:
        graph.remove_import(importer=importer, imported=imported)
    assert graph.nominate_cycle_breakers('effnet_dense') == set()
