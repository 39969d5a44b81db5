"""The console of a training: short, complete, with the next command; the log has everything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mmengine.registry import RUNNERS

from effnet_dense.engine.config import load_config
from effnet_dense.engine.hooks.summary import next_commands, shown_path
from tests.helpers import resumable
from tests.helpers.tiny import narrow_retinanet, options
from tests.helpers.tiny_models import DETECTOR
from tests.helpers.toy import toy_runner


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    shown = capsys.readouterr()
    return (shown.out + shown.err).splitlines()


def test_slow_steps_leave_one_line_to_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('effnet_dense.engine.hooks.summary.FIRST', -1.0)
    monkeypatch.setattr('effnet_dense.engine.hooks.summary.LONGEST', -1.0)
    toy_runner(tmp_path).train()
    text = '\n'.join(lines_of(capsys))
    for epoch in (1, 2, 3, 4):
        assert text.count(f'epoch {epoch} of 4: loss') == 1
        assert text.count(f'epoch {epoch} of 4, step 3 of 4: loss') == 1


def test_two_epochs_are_twenty_lines(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = options(epochs=2, **narrow_retinanet(), **{'train_cfg.val_interval': 1})
    config = load_config(DETECTOR, tiny_data, values, tmp_path)
    RUNNERS.build(config).train()
    lines = lines_of(capsys)
    text = '\n'.join(lines)
    assert len(lines) <= 20, text
    for expected in (
        'RetinaNet on EfficientNet lite0, ',
        ' M parameters',
        ', on ',
        '4 images, 2 classes, trained on at 64 × 64 pixels',
        '2 epochs of 2 steps with 2 images: 4 steps',
        'epoch 1 of 2: loss ',
        'epoch 2 of 2: loss ',
        ', lr ',
        '0:00:00 left, ',
        ' MiB',
        'box AP 0.0',
        'small ',
        'box AP of classes: ',
        'best.pth',
        'trained in 0:0',
        ', best box AP 0.0',
    ):
        assert expected in text, f'{expected!r} missing in:\n{text}'
    assert sum(str(tmp_path) in line for line in lines[-4:]) == 4
    log = next(tmp_path.glob('*/*.log')).read_text(encoding='utf-8')
    for noise in (
        'DONE (t=',
        'Exp name: ',
        'Average Precision',
        'Epoch(train)',
        'Config:',
        'Report: ',
    ):
        assert noise in log and noise not in text, noise
    for line in lines:
        assert line.removeprefix('warning: ') in log or 'COCO JSON' in line or '.json' in line


@pytest.mark.slow
def test_debug_shows_everything(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = resumable.config(tiny_data, tmp_path, log_level='DEBUG')
    RUNNERS.build(config).train()
    text = '\n'.join(lines_of(capsys))
    assert 'Epoch(train) [1][1/2]' in text and 'Exp name: ' in text and 'trained in' in text


@pytest.mark.slow
def test_trainings_by_iterations(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    RUNNERS.build(resumable.config(tiny_data, tmp_path, **resumable.ITERATIONS)).train()
    text = '\n'.join(lines_of(capsys))
    assert '12 steps with 2 images' in text
    for step in (5, 10, 12):
        assert f'step {step} of 12: loss ' in text
    assert 'after iteration ' in text


def test_paths_as_people_type_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / 'work_dirs' / 'mine') == 'work_dirs/mine'
    assert shown_path(tmp_path.parent / 'other') == str(tmp_path.parent / 'other')
    assert shown_path('s3://bucket/mine') == 's3://bucket/mine'


@pytest.mark.parametrize(
    ('argv', 'command'),
    [
        ('tools/train.py', 'python tools/infer.py work'),
        ('/usr/bin/effnet-dense', 'effnet-dense predict work'),
    ],
)
def test_the_next_command_fits_the_last(
    argv: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, 'argv', [argv])
    lines = next_commands('work')
    assert len(lines) == 3 and command in lines[0]
    assert "'my work' IMAGE" in next_commands('my work')[0]
