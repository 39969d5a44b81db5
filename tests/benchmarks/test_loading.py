"""The compared pipelines load every sample, with the same random numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from benchmarks.loading import REFERENCE, measure_loading, pipelines
from effnet_dense.data import make_demo


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('loading')
    make_demo(folder)
    return folder


@pytest.mark.slow
def test_rows(folder: Path) -> None:
    rows = measure_loading(folder, 'annotations/val.json', 'images/val', 64, 1)
    assert [row.name for row in rows[:2]] == [REFERENCE, 'ours']
    assert rows[0].speed == 1.0
    assert all(row.milliseconds > 0 for row in rows)


@pytest.mark.slow
def test_both_do_the_same(folder: Path) -> None:
    path = next((folder / 'images/val').iterdir())
    with DefaultScope.overwrite_default_scope('mmdet'):
        made = []
        for pipeline in pipelines(64).values():
            np.random.seed(1)
            made.append(Compose(pipeline)(dict(img_path=str(path), img_id=0, instances=[])))
    assert made[0]['inputs'].equal(made[1]['inputs'])


def test_a_folder_without_the_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='there is no'):
        measure_loading(tmp_path, 'annotations/val.json', 'images/val', 64, 1)


@pytest.mark.slow
def test_numbers_are_positive(folder: Path) -> None:
    for size, repeats in ((0, 1), (64, 0)):
        with pytest.raises(ValueError, match='must be at least 1, got'):
            measure_loading(folder, 'annotations/val.json', 'images/val', size, repeats)
