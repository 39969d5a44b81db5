"""Maps in the report of a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import pytest

from effnet_dense.api.run import Run
from effnet_dense.commands.main import main


def test_the_page_shows_maps_below_its_images(
    api_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet_loggers: None
) -> None:
    folder = tmp_path / 'run'
    shutil.copytree(api_run.folder, folder)
    page = folder / 'report' / 'index.html'
    before = page.read_text(encoding='utf-8').count('<img')
    words = ['explain', str(folder), '--device', 'cpu', '--score-thr', '0', '--top', '2']
    assert main([*words, '--out', str(tmp_path / 'out')]) == 2
    assert 'expected images or folders to draw into --out' in capsys.readouterr().err
    assert main(words) == 0
    assert capsys.readouterr().out == f'Report: {page}\n'
    maps = sorted(path.name for path in (folder / 'report' / 'images').glob('*_maps.jpg'))
    assert maps == ['best_1_maps.jpg', 'worst_1_maps.jpg']
    drawn = cv2.imread(str(folder / 'report' / 'images' / maps[0]))
    assert drawn.shape == (64, 64 + 4 + 64, 3), 'two maps and a gap'
    text = page.read_text(encoding='utf-8')
    assert text.count('<img') == before + 2
    assert text.count('below: what the predictions rest on') == 2
    # No score is that high: the maps of the first call would be of other predictions.
    assert main([*words[:-3], '1', '--top', '2']) == 0
    assert not list((folder / 'report' / 'images').glob('*_maps.jpg'))
    assert page.read_text(encoding='utf-8').count('<img') == before


def test_a_folder_without_an_evaluation(
    api_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet_loggers: None
) -> None:
    shutil.copytree(api_run.folder, tmp_path / 'run', ignore=shutil.ignore_patterns('report'))
    assert main(['explain', str(tmp_path / 'run')]) == 2
    assert 'no evaluated images' in capsys.readouterr().err
