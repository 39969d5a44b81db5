"""The peak of a process."""

from __future__ import annotations

import pytest

from benchmarks.peak_memory import PROC, measure_peak
from effnet_dense.analysis.settings import Settings
from tests.helpers import fake_implementation as fake


@pytest.mark.slow
@pytest.mark.skipif(not (PROC / 'clear_refs').exists(), reason='only Linux reports the peak')
def test_the_peak_holds_what_is_saved() -> None:
    settings = Settings(1024, batch=2, threads=1)
    saved = 2 * fake.MAPS / fake.SIZE**2 * 1024**2
    peak = measure_peak(fake.implementation(), settings)
    assert peak is not None
    assert saved < peak < 3 * saved
