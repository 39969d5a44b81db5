"""A run: its files, figures, predictor and report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import effnet_dense
from effnet_dense.api.run import Run

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_what_a_run_holds(api_run: Run) -> None:
    assert api_run.best.is_file() and api_run.best.parent == api_run.folder
    assert api_run.metrics['coco/bbox_mAP_50'] >= 0
    assert not {'step', 'time', 'data_time'} & set(api_run.metrics)
    assert 'effnet_lite0_retinanet_finetune, epoch' in repr(api_run)
    assert api_run.config.model.bbox_head.num_classes == 2


def test_the_folder_alone_opens_it_again(api_run: Run) -> None:
    again = effnet_dense.Run(api_run.folder)
    assert (again.best, again.last, again.metrics) == (api_run.best, api_run.last, api_run.metrics)


def test_its_predictor_is_that_of_the_folder(api_run: Run) -> None:
    found = api_run.predictor(device='cpu')(NOISE)
    other = effnet_dense.Predictor(api_run.folder, device='cpu')(NOISE)
    assert found.classes == ('square', 'bar')
    assert np.array_equal(found.to_numpy()['bboxes'], other.to_numpy()['bboxes'])
    assert len(found.to_numpy()['bboxes']) > 0


def test_its_report_is_a_page(api_run: Run) -> None:
    assert api_run.report == api_run.folder / 'report' / 'index.html'
    assert '<html' in api_run.report.read_text(encoding='utf-8')


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no checkpoint'):
        Run(tmp_path)
