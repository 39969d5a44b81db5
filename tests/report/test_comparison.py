"""Two runs on one page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.report import write_comparison
from effnet_dense.report.comparison import names_of
from effnet_dense.report.detection import evaluate
from effnet_dense.report.store import save_arrays, save_json
from tests.helpers.known_detections import CAT_IDS, CLASSES, results, truth


def work_dir(folder: Path, value: float, **changes: Any) -> Path:
    """What the evaluation and training of a run leave."""
    data = folder / 'report' / 'data'
    data.mkdir(parents=True)
    save_arrays(data / 'detections.npz', evaluate(results(''), truth(), CAT_IDS, score_thr=0.3))
    run: dict[str, Any] = dict(
        name='my_config',
        what='Validation after epoch 2 of 2',
        date='2026-01-02',
        duration='0:09:30',
        images=4,
        score_thr=0.3,
        classes=list(CLASSES),
        palette=None,
        metrics={'coco/bbox_mAP': value, 'coco/bbox_mAP_s': -1.0},
        versions={},
        hardware={},
        config='',
        summary={'batch': f'{value} images'},
    )
    save_json(data / 'run.json', {**run, **changes})
    scalars = folder / '20260102_000000' / 'vis_data' / 'scalars.json'
    scalars.parent.mkdir(parents=True)
    rows = [dict(lr=0.1, loss=3.0 - n, time=1.0, step=n, epoch=n) for n in (1, 2)]
    rows += [{'coco/bbox_mAP': value * n, 'step': n} for n in (1, 2)]
    scalars.write_text('\n'.join(map(json.dumps, rows)), encoding='utf-8')
    return folder


def cells(text: str) -> list[list[str]]:
    rows = re.findall(r'<tr>(.*?)</tr>', text, flags=re.S)
    return [re.findall(r'<td[^>]*>(.*?)</td>', row) for row in rows]


def test_summaries_differences_and_curves(tmp_path: Path) -> None:
    folders = [work_dir(tmp_path / 'first', 0.25), work_dir(tmp_path / 'second', 0.5)]
    path = write_comparison(folders)
    assert path == tmp_path / 'first' / 'report' / 'comparison.html'
    text = path.read_text(encoding='utf-8')
    rows = cells(text)
    assert ['Batch', '0.25 images', '0.5 images'] in rows
    assert ['box AP', '0.250', '0.500', '+0.250'] in rows
    assert ['box AP, small objects', '–', '–', '–'] in rows
    assert any(row[:1] == ['cat'] and row[-1] == '0.000' for row in rows)
    assert text.count('data:image/png;base64,') == 2, 'loss and AP'
    assert 'different data' not in text and 'A dash stands for' in text
    assert write_comparison(folders).read_text(encoding='utf-8') == text


def test_other_data_are_named(tmp_path: Path) -> None:
    folders = [work_dir(tmp_path / 'a', 0.25), work_dir(tmp_path / 'b', 0.5, images=5)]
    text = write_comparison(folders).read_text(encoding='utf-8')
    assert 'The runs were evaluated on different data.' in text


def test_two_runs_with_reports_are_needed(tmp_path: Path) -> None:
    one = work_dir(tmp_path / 'one', 0.25)
    with pytest.raises(ValueError, match='expected two work folders to compare'):
        write_comparison([one, tmp_path / 'one'])
    with pytest.raises(FileNotFoundError, match='nothing to compare in'):
        write_comparison([one, tmp_path / 'none'])


def test_folders_of_one_name_keep_their_paths() -> None:
    assert names_of([Path('x/run'), Path('y/run')]) == ['x/run', 'y/run']
    assert names_of([Path('x/one'), Path('y/two')]) == ['one', 'two']
