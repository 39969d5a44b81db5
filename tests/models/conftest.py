"""Lean training at every size in the tests of this folder."""

import pytest

from effnet_dense.lean import chain


@pytest.fixture(autouse=True)
def _lean_at_every_size(monkeypatch):
    """Tests have small images, which lean training would leave to autograd."""
    monkeypatch.setattr(chain, 'MIN_BYTES', 0)
