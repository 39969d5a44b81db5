"""What the tests of configs share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Trainings make loggers."""
