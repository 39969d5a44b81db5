"""The table of runtimes: rows of every form, and outputs that agree."""

from __future__ import annotations

import pytest
from torch import nn

from benchmarks.runtimes import Case, _times, cases, measure
from effnet_dense.models import EfficientNet


def small() -> nn.Module:
    return EfficientNet(dict(base='b0', width=0.25, depth=0.3), out_indices=(3, 4))


@pytest.mark.slow
def test_every_form_has_a_row() -> None:
    for package in ('onnxscript', 'onnxruntime', 'openvino'):
        pytest.importorskip(package)
    rows = measure(Case('small', 64, small, small), batch=2, threads=1, rounds=2)
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


def test_each_run_is_first_in_turn() -> None:
    order: list[int] = []
    seconds = _times([lambda: order.append(0) or [], lambda: order.append(1) or []], rounds=3)
    assert order == [0, 1, 1, 0, 0, 1]
    assert [len(one) for one in seconds] == [3, 3]


def test_the_cases() -> None:
    assert len({case.name for case in cases()}) == 6
    assert all(case.name.endswith(str(case.side)) for case in cases())
