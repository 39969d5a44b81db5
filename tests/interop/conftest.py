"""Three tiny models, each trained once by the first test that needs it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.helpers.trained import Run, train

Trained = Callable[[str], Run]


@pytest.fixture(scope='session')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train a kind of model for two steps, or return the earlier run."""
    return cache(lambda kind: train(kind, tmp_path_factory.mktemp(kind)))
