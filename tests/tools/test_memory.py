"""tools/memory.py: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from effnet_dense.analysis.memory import Peak, TrainingSetup, config_forecast
from tests.helpers.tiny import as_arguments
from tests.helpers.tool import call

CONFIG = 'effnet_lite0_fpn_camvid'
SMALL = ('--batch-size', 2, '--size', 64, 96)
SHORT = as_arguments({'model.backbone.arch': dict(_delete_=True, base='lite0', depth=0.3)})


@pytest.mark.slow
def test_parts_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / 'peaks.json'
    assert call('memory', CONFIG, *SMALL, '--lean', 0, 1, '--json', path, *SHORT) == 0
    printed = capsys.readouterr().out
    for text in (f'{CONFIG}: 2 × 64 × 96 px, fp32, lean 0', 'activations', 'Not included: cuDNN'):
        assert text in printed
    plain, lean = json.loads(path.read_text(encoding='utf-8'))
    assert plain['size'] == [64, 96]
    assert (plain['lean'], lean['lean'], lean['device']) == (0, 1, 'cuda')
    assert sum(lean['parts'].values()) == lean['peak'] < plain['peak']
    assert f'{lean["peak"] / 2**20:.1f} MiB, in the {lean["moment"]} pass' in printed


@pytest.mark.parametrize(('words', 'gpu'), [([], True), (['--device', 'cpu'], False)])
def test_device(words: list[str], gpu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def predict(config: object, setup: TrainingSetup, gpu: bool) -> Peak:
        asked.append(gpu)
        return Peak(setup, 1, {}, 'forward')

    monkeypatch.setattr(config_forecast, 'predict_peak', predict)
    assert call('memory', CONFIG, *SMALL, *words) == 0
    assert call('memory', CONFIG, '--size', 64, *words, '--gib', 2) == 0
    assert set(asked) == {gpu}


@pytest.mark.slow
def test_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    words = ('--precision', 'fp32', 'bf16', '--lean', 1, '--markdown', *SHORT)
    assert call('memory', CONFIG, '--batch-size', 8, '--size', 128, *words) == 0
    heading, rule, row = capsys.readouterr().out.splitlines()
    assert heading == '| config | fp32, lean 1 | bf16, lean 1 |'
    assert rule == '| --- | --- | --- |'
    name, full, half = row.strip('| ').split(' | ')
    assert name == CONFIG
    assert float(full) > float(half) > 0


@pytest.mark.slow
def test_the_largest_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / 'peaks.json'
    words = ('--size', 256, '--gib', 1.25, '--reserve', 1, '--json', path)
    assert call('memory', CONFIG, *words, *SHORT) == 0
    (fits,) = json.loads(path.read_text(encoding='utf-8'))
    assert f'{fits["batch_size"]} images per step fit into 1.25 GiB' in capsys.readouterr().out
    limit = 0.25 * 2**30
    assert fits['peak'] <= limit
    more = ('--size', 256, '--batch-size', fits['batch_size'] + 1, '--json', path)
    assert call('memory', CONFIG, *more, *SHORT) == 0
    assert json.loads(path.read_text(encoding='utf-8'))[0]['peak'] > limit
    assert call('memory', CONFIG, '--size', 256, '--gib', 1.01, *SHORT) == 0
    assert 'no images per step fit' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'quoted'),
    [
        (['effnet_lite0_fpn_camvit'], 'effnet_lite0_fpn_camvid'),
        ([CONFIG, '--batch-size', 0], 'batch size of 0'),
        ([CONFIG, '--precision', 'fp8'], 'fp8'),
        ([CONFIG, '--lean', 7], 'got 7'),
        ([CONFIG, '--size', 1, 2, 3], '[1, 2, 3]'),
        ([CONFIG, '--gib', 1, '--reserve', 2], '--reserve'),
        *(([CONFIG, '--gib', gib], 'at most 4096') for gib in ('inf', 'nan', 1e308, 1e200)),
        ([CONFIG, '--batch-size', 999_999_999_999], 'at most 4096 images'),
        ([CONFIG, '--objects', 99_999_999_999], '1 to 10000 objects'),
        ([CONFIG, '--size', 70_000], 'at most 16384 pixels'),
        ([CONFIG, '--cfg-options', 'model=None'], 'must define model=dict(type=…)'),
        ([CONFIG, '--cfg-options', 'model.backbone.arch=b17'], 'b17'),
        ([CONFIG, '--cfg-options', 'model.type=effnet_dense.Nothing'], 'Nothing'),
    ],
)
def test_errors(words: list[object], quoted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call('memory', *words) == 2
    errors = capsys.readouterr().err
    assert 'Traceback' not in errors
    assert quoted in errors.partition('error: ')[2]
