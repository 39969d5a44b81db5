"""The table of runtimes: rows of every form, and outputs that agree."""

from __future__ import annotations

import pickle

import pytest
from torch import nn

from benchmarks import runtimes
from benchmarks.runtimes import (
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
    assert rows[1][4] == '1.00'
    assert [row[5] == '' for row in rows] == [True, True, False, False, True, False, False]
    assert all(float(row[6]) < 1e-4 for row in rows)


def test_the_cases() -> None:
    assert len({case.name for case in cases()}) == 6
    assert all(case.name.endswith(str(case.side)) for case in cases())
    assert len(pickle.dumps(cases())) > 0  # they are sent to processes
