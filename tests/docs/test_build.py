"""The site builds without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import documents


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site, without a warning."""
    pytest.importorskip('mkdocs', reason='needs the extra "docs"')
    pytest.importorskip('mkdocstrings', reason='needs the extra "docs"')
    folder = tmp_path_factory.mktemp('site')
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--quiet', '-d', str(folder)],
        cwd=documents.ROOT,
        env={**os.environ, 'NO_MKDOCS_2_WARNING': '1'},
        capture_output=True,
        text=True,
        encoding='utf-8',
        errors='replace',
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_docstrings_are_included(site: Path) -> None:
    assert 'drop_path_rate' in (site / 'api' / 'models' / 'index.html').read_text(encoding='utf-8')


def test_every_table_renders(site: Path) -> None:
    for page in (documents.ROOT / 'docs').glob('*.md'):
        folder = site if page.stem == 'index' else site / page.stem
        rendered = (folder / 'index.html').read_text(encoding='utf-8').count('<table>')
        assert rendered == len(documents.tables(page)), page.name


def test_length_of_pages() -> None:
    for page in documents.PAGES:
        if page.parent == documents.ROOT / 'docs':
            assert 30 <= len(documents.text_of(page).splitlines()) <= 200, documents.name_of(page)
