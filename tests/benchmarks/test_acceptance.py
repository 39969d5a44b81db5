"""Targets and their verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import acceptance
from benchmarks.acceptance import TARGETS, Result, Target
from benchmarks.files import write_targets
from benchmarks.tables import comparison_section, target_cells
from effnet_dense.analysis.settings import Settings
from tests.helpers import fake_implementation as fake


def test_verdicts(tmp_path: Path) -> None:
    comparison = fake.comparison(theirs=[40.0, 10.0, 20.0], ours=[20.0, 9.0, 10.0])
    comparisons = {'train x': comparison}
    targets = {
        'met': Target('train x', 'ours', 'step', 0.5, 'theirs'),
        'missed': Target('train x', 'ours', 'saved', 9.9),
        'absent': Target('train x', 'ours', 'step', 1, 'lost'),
    }
    found = [Result(target, target.value(comparisons)) for target in targets.values()]
    assert [result.verdict for result in found] == list(targets)
    assert [result.value for result in found] == [0.5, 10, None]
    assert target_cells(found[1]) == ['ours: saved', '–', '10.0 MiB', '10 MiB', 'missed']
    paths = write_targets(found, [comparison], tmp_path)
    assert [entry['verdict'] for entry in json.loads(paths[0].read_text(encoding='utf-8'))] == list(
        targets
    )
    text = paths[1].read_text(encoding='utf-8')
    assert '| ours: training step | theirs | 0.50 | 0.50 | met |' in text
    assert comparison_section(comparison) in text
    assert paths[2].stat().st_size > 5000


def test_every_target_has_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `run_comparisons` would measure holds the rows that the targets name."""

    def compare(title, implementations, settings, measures, unavailable):
        times = {implementation.name: [1.0] for implementation in implementations}
        comparison = replace(fake.comparison(**times), title=title)
        for row in comparison.rows:
            row.inference = {1: [1.0]}
        assert ('step' in measures) == title.startswith('train')
        return replace(comparison, unavailable=[peer.ecosystem for peer in unavailable])

    monkeypatch.setattr(acceptance, 'compare', compare)
    comparisons = list(acceptance.run_comparisons(Settings()))
    found = acceptance.evaluate_targets(comparisons)
    assert len(found) == len(TARGETS) == 25
    if not any(c.unavailable for c in comparisons if c.title != 'inference d0'):
        assert all(result.value is not None for result in found)
    with pytest.raises(ValueError, match='part must name some of'):
        next(acceptance.run_comparisons(Settings(), ['train b9']))
