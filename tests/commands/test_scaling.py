"""`tools/scaling.py table` and `suggest`: what they print and write, and a user's mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from effnet_dense.analysis.scaling import networks
from effnet_dense.commands.program import run
from effnet_dense.commands.scaling import main, parser


def call(*words: object) -> int:
    """The exit status of `python tools/scaling.py words…`, run here."""
    return run(main, parser(), [str(word) for word in words])


@pytest.mark.slow
def test_a_table_as_json_and_markdown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    published = networks.published_networks
    monkeypatch.setattr(networks, 'published_networks', lambda *words: published(*words)[:2])
    assert call('table', '--family', 'lite', '--size', 64, '--lean', 1, '--out', tmp_path) == 0
    assert '4,652,008' in capsys.readouterr().out
    rows = json.loads((tmp_path / 'classification_lite.json').read_text(encoding='utf-8'))
    assert [row['name'] for row in rows] == ['lite0', 'lite1']
    assert rows[0]['parameters'] == 4_652_008
    assert list(rows[0]['saved_mib_per_image']) == ['1']
    text = (tmp_path / 'classification_lite.md').read_text(encoding='utf-8')
    assert text.startswith('## classification\n\n| network | width | depth | px | parameters |')
    assert '| lite0 | 1 | 1 | 64 | 4,652,008 |' in text


def test_a_suggestion_is_a_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert call('suggest', '--gflops', 0.6) == 0
    output = capsys.readouterr().out
    assert '# published: b0, 0.3645 of 0.6 GFLOPs' in output
    found: dict = {}
    exec(output, found)  # the last one: depths are rounded up, so φ = 0.1 exceeds the budget
    assert found['model']['backbone'] == dict(arch=dict(phi=0.0))


@pytest.mark.parametrize(
    ('words', 'quoted'),
    [
        (['table', '--size', 0], '--size: expected a whole number, at least 32, at most 16384'),
        (['suggest', '--gflops', 1, '--size', 999_999_999], 'at most 16384'),
        (['search', 'x', '--size', -1], '--size: expected a whole number'),
        (['suggest', '--gflops', 'nan'], "--gflops: expected a number above 0, got 'nan'"),
        (['suggest', '--mib', -1], "--mib: expected a number above 0, got '-1'"),
        (['search', 'x', '--grid-step', 0], '--grid-step: expected a number above 0'),
        (['table', '--repeats', 0], '--repeats: expected a whole number, at least 1'),
        (['search', 'x', '--steps', 'x'], '--steps: expected a whole number, at least 1'),
    ],
)
def test_impossible_numbers(
    words: list[object], quoted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match='2'):
        call(*words)
    assert quoted in capsys.readouterr().err


@pytest.mark.slow
def test_a_budget_below_the_smallest_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert call('suggest', '--mib', 1, '--size', 64) == 2
    error = capsys.readouterr().err
    assert 'the smallest backbone at 64 px takes more than 1 MiB saved per image at lean 1' in error
