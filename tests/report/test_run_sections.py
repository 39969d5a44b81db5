"""Curves, facts and figures of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from effnet_dense.report import charts
from effnet_dense.report.run_sections import curve_sections, run_sections
from effnet_dense.report.scalars import Scalars
from effnet_dense.report.sections import show

RUN: dict[str, Any] = dict(
    what='Test of x',
    date='2026-01-02',
    duration='0:01:00',
    images=4,
    hardware={'Processor': 'some'},
    versions={'torch': '2'},
    metrics={'mIoU': 50.0},
    config='a = 1',
)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """File name of a chart → its curves' names and the x axis' unit."""
    found: dict[str, Any] = {}

    def keep(path: Path, curves: Any, xlabel: str) -> Path:
        found[path.name] = [curve[0] for curve in curves], xlabel
        return path

    monkeypatch.setattr(charts, 'lines', keep)
    return found


def test_the_sum_of_losses_comes_first(drawn: dict[str, Any], tmp_path: Path) -> None:
    training = [
        dict(step=step, epoch=1, lr=0.1, base_lr=0.1, loss_cls=1.0, loss=3.0, time=1.0)
        for step in (1, 2)
    ]
    validation = [dict(step=step, mAP=0.5, mAP_s=-1.0, time=2.0) for step in (1, 2)]
    (section,) = curve_sections(tmp_path, Scalars(training, validation))
    assert [chart.caption for chart in section.charts] == ['Losses', 'Validation', 'Learning rates']
    assert drawn == {
        'losses.png': (['loss', 'loss_cls'], 'step'),
        'metrics.png': (['mAP'], 'epoch'),  # without sizes
        'rates.png': (['lr'], 'step'),
    }


def test_a_second_learning_rate_is_drawn_where_it_differs(
    drawn: dict[str, Any], tmp_path: Path
) -> None:
    training = [dict(step=step, lr=0.1, base_lr=rate) for step, rate in ((1, 0.1), (2, 0.2))]
    curve_sections(tmp_path, Scalars(training, [dict(step=n, mIoU=1.0) for n in (1, 2)]))
    assert drawn == {'rates.png': (['base_lr', 'lr'], 'step'), 'metrics.png': (['mIoU'], 'step')}


def test_one_point_is_no_curve(drawn: dict[str, Any], tmp_path: Path) -> None:
    training = [dict(step=step, lr=0.1, loss=1.0) for step in (1, 2)]
    (section,) = curve_sections(tmp_path, Scalars(training, [dict(step=2, mIoU=1.0)]))
    assert set(drawn) == {'losses.png', 'rates.png'}
    assert section.note.startswith('There is one validation so far: a curve is drawn from two on')
    (alone,) = curve_sections(tmp_path, Scalars(training[:1], []))
    assert alone.charts == [] and 'one logged step' in alone.note


def test_what_was_not_measured_is_a_dash() -> None:
    metrics = {'coco/bbox_mAP': 0.5, 'coco/bbox_mAP_s': -1.0}
    section = run_sections({**RUN, 'metrics': metrics}, Scalars())[0]
    assert [show(row[1]) for row in section.tables[1].rows] == ['0.500', '–']
    assert section.note.startswith('A dash stands for')
    assert run_sections(RUN, Scalars())[0].note == ''


def test_no_curves_without_a_training(tmp_path: Path) -> None:
    assert curve_sections(tmp_path, Scalars()) == []


def test_facts_and_figures() -> None:
    run, config = run_sections(RUN, Scalars([dict(step=3, lr=0.1, time=20.0)]))
    facts, metrics = (dict(table.rows) for table in run.tables)  # type: ignore[arg-type]
    assert facts == {
        'Evaluated': 'Test of x',
        'Date': '2026-01-02',
        'Duration of the run': '0:01:00',
        'Training steps took': '0:01:00',
        'Images': '4',
        'Processor': 'some',
        'torch': '2',
    }
    assert metrics == {'mIoU': 50.0}
    assert (config.key, config.text) == ('config', 'a = 1')
    assert 'Training steps took' not in dict(run_sections(RUN, Scalars())[0].tables[0].rows)  # type: ignore[arg-type]
