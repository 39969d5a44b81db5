"""Saved memory against hand-derived figures, and against the tests' own count."""

from __future__ import annotations

import pytest
import torch

from effnet_dense.analysis.saved_memory import measure_saved_memory
from effnet_dense.models import EfficientNet
from tests.helpers import fake_implementation as fake
from tests.reference.saved_bytes import saved_bytes


def test_the_fake_network() -> None:
    saved = measure_saved_memory(fake.FakeNetwork().train(), fake.images())
    assert saved.hooks == saved.live == saved.bytes == 2 * fake.MAPS + fake.STATISTICS


@pytest.mark.parametrize('lean', [0, 1, 2])
def test_same_as_the_tests_own_count(lean: int) -> None:
    model = EfficientNet('b0', lean=lean).train()
    x = torch.randn(2, 3, 64, 64)
    saved = measure_saved_memory(model, x)
    assert saved.hooks == saved_bytes(model, x)[0]
    # Lean training's own hooks hide the statistics of expansions, whose outputs it recomputes.
    assert saved.live == pytest.approx(saved.hooks, rel=0.06 if lean == 2 else 0.02)
