"""Table, JSON, Markdown and chart hold the report's numbers; targets their verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import acceptance
from benchmarks.acceptance import TARGETS, Result, Target
from benchmarks.chart import panels
from benchmarks.files import write, write_targets
from benchmarks.table import cells, columns, markdown, target_cells
from effnet_dense.analysis.settings import Settings
from tests.helpers import fake_contenders as fake

# Half as long in the median of the pairs, though not in the quotient of the bests.
REPORT = dict(theirs=[40.0, 10.0, 20.0], ours=[20.0, 9.0, 10.0])


def test_cells() -> None:
    report = fake.report(**REPORT)
    assert columns(report) == [
        *('network', 'format', 'parameters', 'GFLOPs', 'saved MiB/img', 'step ms/img', 'ratio')
    ]
    assert cells(report, report.row('ours')) == [
        *('ours', 'NCHW', '1,000', '0.50', '10.0', '9.0', '0.50')
    ]
    with pytest.raises(KeyError, match='no row'):
        report.row('nobody')


def test_floors() -> None:
    report = fake.report(**REPORT)
    # 0.5 · 10⁹ multiply-adds are 10⁹ operations, three times in a step, at 10¹¹ a second.
    assert report.floor('step') == pytest.approx(30)
    assert report.copy_ms(report.rows[0]) == pytest.approx(2 * 10 * 2**20 / 1e10 * 1000)


def test_files(tmp_path: Path) -> None:
    report = fake.report(**REPORT)
    found = write(report, tmp_path / 'new', 'name')
    data = json.loads(found[0].read_text())
    assert set(data) == {
        *('title', 'settings', 'machine', 'ceilings', 'reference', 'rows', 'absent')
    }
    assert data['reference'] == 'theirs'
    assert data['absent'] == [{'ecosystem': 'lost', 'reason': 'gone'}]
    assert data['settings']['size'] == 32
    row = data['rows'][1]
    assert (row['saved_hooks'], row['saved_alive'], row['saved']) == (8, 10, 10)
    assert row['timings'] == {'step': {'best_ms': 9.0, 'ratio': 0.5, 'floor_ms': 30.0}}
    text = found[1].read_text()
    assert text == markdown(report)
    assert '| ours | NCHW | 1,000 | 0.50 | 10.0 | 9.0 | 0.50 |' in text
    assert 'Absent: lost (gone).' in text
    with Image.open(found[2]) as picture:
        assert picture.width > 500


def test_panels() -> None:
    assert panels(fake.report(**REPORT)) == [
        ('saved for backward, MiB/img', {'theirs': 10, 'ours': 10}, None),
        ('training step, ms/img', {'theirs': 10, 'ours': 9}, 30),
    ]


def test_targets(tmp_path: Path) -> None:
    report = fake.report(**REPORT)
    reports = {'train x': report}
    targets = {
        'met': Target('train x', 'ours', 'step', 0.5, 'theirs'),
        'missed': Target('train x', 'ours', 'saved', 9.9),
        'absent': Target('train x', 'ours', 'step', 1, 'lost'),
    }
    found = [Result(target, target.value(reports)) for target in targets.values()]
    assert [result.verdict for result in found] == list(targets)
    assert [result.value for result in found] == [0.5, 10, None]
    assert target_cells(found[1]) == ['ours: saved', '–', '10.0 MiB', '10 MiB', 'missed']
    paths = write_targets(found, [report], tmp_path)
    assert [one['verdict'] for one in json.loads(paths[0].read_text())] == list(targets)
    text = paths[1].read_text()
    assert '| ours: training step | theirs | 0.50 | 0.50 | met |' in text
    assert markdown(report) in text
    assert paths[2].stat().st_size > 5000


def test_every_target_has_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `run` would measure holds the rows that the targets name."""

    def rows(title, contenders, settings, measures, absent):
        report = replace(fake.report(**{one.name: [1.0] for one in contenders}), title=title)
        for row in report.rows:
            row.inference = {1: [1.0]}
        ecosystems = {one.ecosystem for one in absent}
        assert ('step' in measures) == title.startswith('train')
        return replace(report, absent=list(ecosystems))

    monkeypatch.setattr(acceptance, 'measure', rows)
    reports = list(acceptance.run(Settings()))
    found = acceptance.results(reports)
    assert len(found) == len(TARGETS) == 25
    if not any(report.absent for report in reports if report.title != 'inference d0'):
        assert all(result.value is not None for result in found)
    with pytest.raises(ValueError, match='part must name some of'):
        next(acceptance.run(Settings(), ['train b9']))
