"""The tiny data set, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.tiny import write_data


@pytest.fixture(scope='session')
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four pictures to train on and two to evaluate."""
    return write_data(tmp_path_factory.mktemp('tiny'))
