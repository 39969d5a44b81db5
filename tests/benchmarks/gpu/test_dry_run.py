"""The whole runbook on the CPU, and a user's mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.__main__ import main, parser
from benchmarks.gpu.parts import NAMES
from effnet_dense.commands.program import run
from tests.helpers.forked import finish_forked


def call(*words: object) -> int:
    """The exit status of `python -m benchmarks.gpu words…`, run here."""
    return run(main, parser(), [str(word) for word in words])


@pytest.mark.slow
def test_every_part_runs(tmp_path: Path) -> None:
    words = ['-m', 'benchmarks.gpu', '--dry-run', '--limit', 250, '--out', tmp_path]
    finish_forked(tmp_path / 'log', *words)
    records = {
        name: json.loads((tmp_path / f'{name}.json').read_text(encoding='utf-8')) for name in NAMES
    }
    for name, record in records.items():
        log = (tmp_path / f'{name}.log').read_text(encoding='utf-8')
        assert record['state'] == 'finished', f'{name}: {log[-4000:]}'
    tables = [rows for record in records.values() for rows in record['tables'].values()]
    assert [row for rows in tables for row in rows if 'error' in row or 'state' in row] == []
    page = (tmp_path / 'gpu.md').read_text(encoding='utf-8')
    assert [line[3:] for line in page.splitlines() if line.startswith('## ')] == list(NAMES)
    assert page.startswith('# Dry run on the CPU\n')
    trainings = records['train']['tables']['trainings']
    assert [(row['training'], row['steps']) for row in trainings] == [
        ('D0 bf16', 4),
        ('D0 bf16, DDP of one, SyncBN', 4),
    ]
    networks = [row['network'] for row in next(iter(records['profile']['tables'].values()))]
    assert {'small, lean 1', 'small, lean 1, graphed', 'small, lean 1, compiled'} <= set(networks)
    assert 'Listed without a GPU: 1 a step' in page


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a CUDA device')
def test_without_a_gpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call('micro', '--out', tmp_path) == 0
    assert 'micro: not run: PyTorch' in capsys.readouterr().out
    page = (tmp_path / 'gpu.md').read_text(encoding='utf-8')
    assert 'not run: PyTorch' in page and 'finds no CUDA device' in page


@pytest.mark.parametrize(
    ('words', 'quoted'),
    [
        (['macro'], "got ['macro']"),
        (['--limit', 0], '--limit must be positive, got 0'),
        (['--data', 'nowhere'], '--data nowhere: there is no such folder'),
    ],
)
def test_mistakes(
    words: list[object], quoted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*words, '--out', tmp_path) == 2
    assert quoted in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
