"""Evaluation from Python: a run's own figures, on its data and on others."""

from __future__ import annotations

from pathlib import Path

import pytest

import effnet_dense
from effnet_dense.api.run import Run
from effnet_dense.engine.config import load_config


def test_the_best_checkpoint_has_the_runs_figure(api_run: Run, tmp_path: Path) -> None:
    found = effnet_dense.evaluate(api_run.folder, work_dir=tmp_path)
    assert found['coco/bbox_mAP'] == pytest.approx(api_run.metrics['coco/bbox_mAP'], abs=1e-9)
    assert (tmp_path / 'report' / 'index.html').is_file()


def test_other_data_and_a_named_checkpoint(api_run: Run, api_data: Path, tmp_path: Path) -> None:
    found = api_run.evaluate(api_data, work_dir=tmp_path)
    assert set(found) >= {'coco/bbox_mAP', 'coco/bbox_mAP_50'}


def test_a_config_needs_a_checkpoint() -> None:
    with pytest.raises(ValueError, match='needs a checkpoint'):
        effnet_dense.evaluate(load_config('effnet_lite0_retinanet_finetune'))
    with pytest.raises(
        ValueError, match=r'effnet_lite0.* is neither a work folder nor a checkpoint'
    ):
        effnet_dense.evaluate('effnet_lite0_retinanet_finetune')
    with pytest.raises(FileNotFoundError, match="no work folder or checkpoint 'nowhere', and no"):
        effnet_dense.evaluate('nowhere')


@pytest.mark.slow
def test_an_exported_file_has_the_figures_of_its_checkpoint(api_run: Run, tmp_path: Path) -> None:
    wanted = effnet_dense.evaluate(api_run.folder, work_dir=tmp_path / 'a')
    path = effnet_dense.export(api_run.folder, out=tmp_path / 'model.onnx', size=(64, 64))
    found = effnet_dense.evaluate(api_run.folder, path, work_dir=tmp_path / 'b')
    assert found['coco/bbox_mAP'] == pytest.approx(wanted['coco/bbox_mAP'], abs=0.002)
    assert found['coco/bbox_mAP_50'] > 0
