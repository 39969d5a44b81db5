"""The handmade COCO dataset as a fixture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.coco_folder import write_folder


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write a dataset: `make_folder(train=…, val=…)`, both `tiny_coco()` by default."""
    return lambda train=None, val=None: write_folder(tmp_path / 'set', train, val)
