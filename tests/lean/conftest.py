"""What all tests of models share."""

import pytest

from effnet_dense.lean import segments as lean


@pytest.fixture(autouse=True)
def _lean_whatever_the_size(monkeypatch):
    """Tests have small pictures, which lean training would leave alone."""
    monkeypatch.setattr(lean, 'SMALL', 0)
