"""The site builds without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import documents


def test_builds_strictly(tmp_path: Path) -> None:
    pytest.importorskip('mkdocs', reason='needs the extra "docs"')
    pytest.importorskip('mkdocstrings', reason='needs the extra "docs"')
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--quiet', '-d', str(tmp_path)],
        cwd=documents.ROOT,
        env={**os.environ, 'NO_MKDOCS_2_WARNING': '1'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / 'api' / 'models' / 'index.html').read_text()
    assert 'drop_path_rate' in page  # from the docstring


def test_length_of_pages() -> None:
    for page in documents.PAGES:
        if page.parent == documents.ROOT / 'docs':
            assert 30 <= len(documents.text_of(page).splitlines()) <= 200, documents.name_of(page)
