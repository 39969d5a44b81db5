"""The table of runtimes: rows of every form, and outputs that agree."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from torch import nn

from benchmarks import runtimes
from benchmarks.runtimes import (
    HEADINGS,
    PEER,
    RUNTIMES,
    Case,
    Measured,
    Work,
    cases,
    measure,
    time_file,
    time_network,
)
from effnet_dense.models import EfficientNet


def small() -> nn.Module:
    return EfficientNet(dict(base='b0', width=0.25, depth=0.3), out_indices=(3, 4))


def in_this_process(work: Work) -> Measured:
    copied: Work = pickle.loads(pickle.dumps(work))  # processes get it so
    return (time_file if work.runtime in RUNTIMES else time_network)(copied)


@pytest.mark.slow
def test_every_form_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, '_in_own_process', in_this_process)
    for package in ('onnxscript', 'onnxruntime', 'openvino'):
        pytest.importorskip(package)
    rows = measure(Case('small', 64, small, small), batch=2, threads=1, rounds=2, processes=1)
    exported = ['ONNX Runtime', 'OpenVINO']
    assert [row[2] for row in rows] == [
        'eager',
        'deploy',
        *exported,
        *[f'peer: {name}' for name in ('eager', *exported)],
    ]
    assert all(row[:2] == ['small', '2'] and float(row[3]) > 0 for row in rows)
    assert all(len(row) == len(HEADINGS) for row in rows)
    assert rows[1][5] == '1.00'
    assert [row[6] == '' for row in rows] == [False, True, False, False, True, True, True]
    assert [row[7] == '' for row in rows] == [True, True, False, False, True, False, False]
    assert all(float(row[8]) < 1e-4 for row in rows)


def test_medians_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: dict[str, int] = {}

    def timed(work: Work) -> Measured:
        counts[work.form] = counts.get(work.form, 0) + 1
        slow = 2 if work.form.startswith(PEER) else 1
        return Measured([np.ones(1)], slow * (9, 0.1, 0.2, 0.3, 9)[counts[work.form] - 1])

    monkeypatch.setattr(runtimes, '_in_own_process', timed)
    monkeypatch.setattr(runtimes, 'export_file', lambda work: work.path.write_bytes(b'12'))
    rows = measure(Case('small', 64, small, small), batch=2, threads=1, rounds=2, processes=5)
    # PyTorch: the median of 9, 0.1, 0.2; files: of 9, 0.1, 0.2, 0.3, 9
    assert [row[3:7] for row in rows[:3]] == [
        ['100.0', '50.0', '1.00', '0.50'],
        ['100.0', '50.0', '1.00', ''],
        ['150.0', '50.0', '1.50', '0.50'],
    ]
    assert counts == {form: 3 if form.endswith(('eager', 'deploy')) else 5 for form in counts}


def test_the_cases() -> None:
    assert len({case.name for case in cases()}) == 6
    assert all(case.name.endswith(str(case.side)) for case in cases())
    assert len(pickle.dumps(cases())) > 0  # they are sent to processes
