"""What the tests of tools share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.tiny_models import DETECTOR, SMALL
from tests.helpers.tool import call


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Every tool makes loggers."""


@pytest.fixture(scope='session')
def checkpoint(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny detector after one epoch."""
    folder = tmp_path_factory.mktemp('trained')
    words = ['--data', tiny_data, '--work-dir', folder, *SMALL]
    assert call('train', DETECTOR, *words) == 0
    return folder / 'epoch_1.pth'
