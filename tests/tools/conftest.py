"""The tiny data set, made once, and loggers that outlive a test's captured output."""

from __future__ import annotations

import logging

import pytest

from tests.engine.conftest import tiny_data

__all__ = ['quiet_loggers', 'tiny_data']


@pytest.fixture(autouse=True)
def quiet_loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine's loggers keep the standard error of the test that made them, long closed."""
    monkeypatch.setattr(logging, 'raiseExceptions', False)
