"""What is reported of a search: networks of each φ, a warning, a figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.analysis.scaling.grid import BASE, Candidate
from effnet_dense.analysis.scaling.search import Result, Search
from effnet_dense.analysis.scaling.search_report import (
    PHIS,
    chance_warning,
    draw,
    phi_row,
    phi_rows,
)
from effnet_dense.engine.config import load_config

DEEP, WIDE = Candidate(1.4, 1.0, 1.2), Candidate(1.0, 1.4, 1.0)
REACHED = {BASE: 0.1, DEEP: 0.3, WIDE: 0.2}


def a_search(folder: Path) -> Search:
    return Search(load_config('efficientdet_lite0_finetune'), folder, steps=4, size=64)


def test_a_phi_is_a_power(tmp_path: Path) -> None:
    row = phi_row(a_search(tmp_path), Candidate(1.2, 1.1, 1.15), 2)
    assert (row['width'], row['depth']) == (pytest.approx(1.21), pytest.approx(1.44))
    assert row['size'] == (88, 88)  # 64 · 1.15² = 84.6
    assert row['gflops'] > phi_row(a_search(tmp_path), Candidate(1.2, 1.1, 1.15), 0)['gflops']


@pytest.mark.slow
def test_phis_end_where_nothing_can_be_built(tmp_path: Path) -> None:
    search = a_search(tmp_path)
    rows = phi_rows(search, Candidate(5.0, 1.0, 1.0))
    assert [row['phi'] for row in rows] == [0, 1]  # at 2, 25 times as deep
    assert len(phi_rows(search, Candidate(1.05, 1.0, 1.0))) == len(PHIS)


def test_a_best_by_chance_is_reported() -> None:
    def found(value: float) -> list[Result]:
        metrics = {BASE: 0.1, DEEP: value}
        return [Result(one, (64, 64), {}, 1, 0.1, metric) for one, metric in metrics.items()]

    assert 'within 5% of the unscaled network' in (chance_warning(found(0.104)) or '')
    assert chance_warning(found(0.106)) is None


def test_a_chart(tmp_path: Path) -> None:
    results = [
        Result(candidate, (64, 64), {}, 1, 0.1, value) for candidate, value in REACHED.items()
    ]
    draw(results, 'mIoU', tmp_path / 'chart.png')
    assert (tmp_path / 'chart.png').read_bytes()[:4] == b'\x89PNG'
