"""The tests that need a GPU: `pytest -m gpu`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.gpu.conditions import Conditions, Unmet
from benchmarks.gpu.record import Record

ROOT = Path(__file__).resolve().parents[3]


class Outcomes:
    """A plugin of pytest that records each result as it comes."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.counts = {'passed': 0, 'failed': 0, 'skipped': 0}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count a test once: by its own phase, or by the setup that skips or breaks it."""
        if report.when != 'call' and report.passed:
            return
        self.counts[report.outcome] += 1
        if report.failed:
            reason = str(report.longreprtext).strip().rpartition('\n')[2]
            self.record.add('failed', test=report.nodeid, reason=reason[:160])


def run(conditions: Conditions, record: Record) -> None:
    """Run them in this process; a dry run has those of one file, which are skipped."""
    try:
        import pytest
    except ImportError as error:
        raise Unmet('pytest is not installed') from error
    outcomes = Outcomes(record)
    tests = conditions.pick('tests', 'tests/models/test_cuda.py')
    # A missing peer breaks the import of some other test.
    words = ['-m', 'gpu', '-p', 'no:cacheprovider', '-rfE', '--continue-on-collection-errors']
    words += ['--durations=8', str(ROOT / tests)]
    status = pytest.main([*words, f'--rootdir={ROOT}'], plugins=[outcomes])
    counts = ', '.join(f'{count} {outcome}' for outcome, count in outcomes.counts.items())
    record.note(f'`pytest -m gpu`: {counts} (exit status {int(status)}).')
