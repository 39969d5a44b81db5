"""Comparisons of the fake implementation, whose figures are derived by hand."""

from __future__ import annotations

import pytest
import torch

from benchmarks.measure import compare
from effnet_dense.analysis.saved_memory import MIB
from effnet_dense.analysis.settings import Settings
from tests.helpers import fake_implementation as fake


@pytest.mark.slow
def test_everything_but_the_peak() -> None:
    settings = Settings(fake.SIZE, batch=2, repeats=3, threads=torch.get_num_threads())
    implementations = [fake.implementation(), fake.implementation('folded', 'deployed')]
    measures = ['gflops', 'saved', 'step', 'inference']
    comparison = compare('fakes', implementations, settings, measures)
    assert comparison.reference.name == 'fake'
    assert comparison.metrics() == ['step', 'inference 1', 'inference 2']
    for row in comparison.rows:
        assert row.parameters == fake.PARAMETERS
        assert row.saved == pytest.approx((fake.MAPS + fake.STATISTICS / 2) / MIB)
        assert [len(row.times(metric)) for metric in comparison.metrics()] == [3, 3, 3]
        assert row.peak is None


@pytest.mark.parametrize(
    ('count', 'measures', 'message'),
    [
        (0, ['step'], 'at least one implementation'),
        (1, ['speed'], r"got \['speed'\]"),
        (1, [], 'got'),
    ],
)
def test_nothing_to_measure(count: int, measures: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare('x', [fake.implementation()] * count, Settings(), measures)
