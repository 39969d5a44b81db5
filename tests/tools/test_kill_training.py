"""A training killed at random moments ends with the tensors of one never killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.forked import finish_forked


@pytest.mark.slow
@pytest.mark.parametrize('loop', ['epochs', 'iterations'])
def test_three_kills(loop: str, tmp_path: Path) -> None:
    words = ['tests/helpers/kill_training.py', '--times', 3, '--steps', 24, '--loop', loop]
    finish_forked(tmp_path / 'log', *words)
    assert '3 kills' in (tmp_path / 'log').read_text(encoding='utf-8')
