"""Counts against hand-derived ones."""

from __future__ import annotations

import pytest

from effnet_dense.analysis.counts import count_gflops, count_parameters
from tests.helpers import fake_implementation as fake


def test_parameters_and_flops_of_the_fake_network() -> None:
    assert count_parameters(fake.FakeNetwork()) == fake.PARAMETERS
    assert count_gflops(fake.FakeNetwork(), fake.images(1)) == pytest.approx(fake.GFLOPS)


def test_the_mode_is_restored() -> None:
    model = fake.FakeNetwork().train()
    count_gflops(model, fake.images(1))
    assert model.training and model.norm.training
