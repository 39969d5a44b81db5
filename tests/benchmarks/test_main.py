"""`python -m benchmarks` at tiny sizes, and a user's mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import features
from benchmarks.__main__ import main, parser
from effnet_dense.commands.program import run
from tests.helpers import fake_implementation as fake

FAST = ('--threads', 1, '--repeats', 1, '--size', 64)


def call(*words: object) -> int:
    """The exit status of `python -m benchmarks words…`, run here."""
    return run(main, parser(), [str(word) for word in words])


def test_ours_beside_a_peer_and_an_unavailable_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, 'PEERS', fake.PEERS)
    words = ['--lean', 1, '--measure', 'gflops', 'saved', 'step', '--channels-last']
    assert call('features', *FAST, *words, '--out', tmp_path) == 0
    output = capsys.readouterr().out
    for part in ('fake fake', 'ours b0, lean 1', '3,595,388', 'missing-package is not installed'):
        assert part in output
    data = json.loads((tmp_path / 'features_b0.json').read_text(encoding='utf-8'))
    assert [row['name'] for row in data['rows']] == ['fake fake', 'ours b0, lean 1']
    assert data['rows'][0]['parameters'] == fake.PARAMETERS
    assert (tmp_path / 'features_b0.md').exists()
    assert (tmp_path / 'features_b0.png').exists()


def test_training_in_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, 'PEERS', fake.PEERS)
    words = ['--only', 'fake', '--modes', 'plain', 'graphed', 'compiled']
    words += ['--measure', 'saved', 'step', 'inference']
    monkeypatch.setattr(torch, 'compile', _refuse)
    assert call('features', *FAST, *words, '--out', tmp_path) == 0
    data = json.loads((tmp_path / 'features_b0.json').read_text(encoding='utf-8'))
    plain, graphed, compiled = data['rows']
    assert [len(row['step']) for row in data['rows']] == [1, 1, 0]
    assert plain['saved'] and plain['inference']
    assert graphed['name'] == 'fake fake, graphed'
    assert graphed['saved'] is None and not graphed['inference']
    assert data['absent'] == [
        {'ecosystem': compiled['name'], 'reason': 'RuntimeError: no compiler'},
    ]


def _refuse(*_: object, **__: object) -> None:
    raise RuntimeError('no compiler')


@pytest.mark.slow
def test_inference_in_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, 'PEERS', fake.PEERS)
    assert call('inference', *FAST, '--out', tmp_path) == 0
    data = json.loads((tmp_path / 'inference_b0.json').read_text(encoding='utf-8'))
    names = [row['name'] for row in data['rows']]
    assert names == ['fake fake', 'fake fake, deployed', 'ours b0', 'ours b0, deployed']


@pytest.mark.parametrize(
    ('words', 'quoted'),
    [
        (['features', '--arch', 'b17'], "'b17'"),
        (['features', '--size', 31], 'size must be at least 32, got 31'),
        (['features', '--repeats', 0], 'repeats must be at least 1, got 0'),
        (['features', '--batch', 0], 'batch must be at least 1, got 0'),
        (['features', '--threads', 0], 'threads must be at least 1, got 0'),
        (['features', '--device', 'tpu'], "'tpu'"),
        (['features', '--only', 'keras'], 'got keras'),
        (['features', '--arch', 'l2', '--only', 'torchvision'], 'has no backbone l2'),
        (['detector', '--name', 'd9'], "'d9'"),
        (['detector', '--size', 500], 'multiple of 128'),
        (['acceptance', '--part', 'train b9'], 'train b9'),
    ],
)
def test_mistakes(words: list[object], quoted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*words) == 2
    message = capsys.readouterr().err.partition('error: ')[2]
    assert quoted in message
    assert message.count('\n') == 1


def test_the_package_and_its_tools_do_not_import_benchmarks(repository: Path) -> None:
    """Neither would work from a wheel, which has no benchmarks."""
    for folder in ('effnet_dense', 'tools'):
        for path in (repository / folder).rglob('*.py'):
            lines = [line.strip() for line in path.read_text(encoding='utf-8').splitlines()]
            assert not [x for x in lines if x.startswith(('import bench', 'from bench'))], path
