"""The table of runtimes: rows of every form, and outputs that agree."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from torch import nn

from benchmarks import runtimes
from benchmarks.runtime_process import best_seconds
from benchmarks.runtimes import (
    COPY_FORMS,
    FORMS,
    HEADINGS,
    PEER_FORMS,
    RUNTIMES,
    Case,
    Measured,
    Work,
    cases,
    measure,
    time_network,
)
from effnet_dense.models import EfficientNet


def small() -> nn.Module:
    return EfficientNet(dict(base='b0', width=0.25, depth=0.3), out_indices=(3, 4))


def in_this_process(work: Work) -> Measured:
    copied: Work = pickle.loads(pickle.dumps(work))  # processes get it so
    return time_network(copied)


@pytest.mark.slow
def test_every_form_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, '_in_own_process', in_this_process)
    for package in ('onnxscript', 'onnxruntime', 'openvino'):
        pytest.importorskip(package)
    rows = measure(Case('small', 64, small, small), batch=2, threads=1, rounds=2, processes=1)
    assert [row[2] for row in rows] == [*FORMS, *PEER_FORMS, *COPY_FORMS]
    assert all(row[:2] == ['small', '2'] and float(row[3]) > 0 for row in rows)
    assert all(len(row) == len(HEADINGS) for row in rows)
    assert rows[1][5] == '1.00'
    with_peer = [row[2] for row in rows if row[6]]
    assert with_peer == ['eager', *RUNTIMES, *COPY_FORMS]
    assert [row[2] for row in rows if row[7]] == [*RUNTIMES, *PEER_FORMS[1:], *COPY_FORMS]
    assert all(float(row[8]) < 1e-4 for row in rows)


def test_medians_of_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: dict[str, int] = {}
    firsts: list[str] = []

    def timed(work: Work) -> Measured:
        number = counts[work.form] = counts.get(work.form, 0) + 1
        turn = number - 1 if work.runtime in RUNTIMES else 2 * (number - 1)
        # In a turn all are slower or faster together: ours takes a share of what the peer takes.
        share = 1 if work.is_peer else (0.5, 0.9, 0.6, 0.7, 0.9)[turn]
        twice = 2 if work.form == 'eager' else 1
        return Measured([np.ones(1)], twice * share * (9, 0.1, 0.2, 0.3, 9)[turn])

    def files_timed(works: Sequence[Work]) -> list[Measured]:
        assert len({work.runtime for work in works}) == 1
        firsts.append(works[0].form)
        return [timed(work) for work in works]

    monkeypatch.setattr(runtimes, 'TORCH_PROCESSES', 3)
    monkeypatch.setattr(runtimes, '_in_own_process', timed)
    monkeypatch.setattr(runtimes, 'time_files', files_timed)
    monkeypatch.setattr(runtimes, 'export_file', lambda work: work.path.write_bytes(b'12'))
    rows = measure(Case('small', 64, small, small), batch=2, threads=1, rounds=2, processes=5)
    found = {row[2]: row[3:7] for row in rows}
    # For two images, PyTorch: 4.5, 0.12, 8.1 s; files: 4.5, 0.09, 0.12, 0.21, 8.1 s
    assert found['deploy'] == ['2250.0', '60.0', '1.00', '']
    assert found['eager'] == ['4500.0', '120.0', '2.00', '1.200']
    assert found['OpenVINO'] == ['105.0', '45.0', '1.00', '0.700']
    assert found['peer: OpenVINO'] == ['150.0', '50.0', '1.67', '']
    assert found['copy: OpenVINO'] == ['150.0', '50.0', '1.67', '1.000']
    assert counts == {form: 3 if form.endswith(('eager', 'deploy')) else 5 for form in counts}
    assert {form.split(': ')[0] for form in firsts} == {*RUNTIMES, 'copy'}


def test_the_best_run_of_each_in_turns() -> None:
    calls: list[str] = []
    seconds = best_seconds([lambda: calls.append('a') or [], lambda: calls.append('b') or []], 5)
    assert len(seconds) == 2
    assert all(each > 0 for each in seconds)
    rounds = [''.join(calls[at : at + 2]) for at in range(0, len(calls), 2)]
    assert set(rounds) == {'ab', 'ba'}


def test_the_cases() -> None:
    assert len({case.name for case in cases()}) == 6
    assert all(case.name.endswith(str(case.side)) for case in cases())
    assert len(pickle.dumps(cases())) > 0  # they are sent to processes
