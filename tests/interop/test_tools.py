"""mmdet's and mmseg's own tools on this package's runs, in processes that import it first."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import mmdet
import mmseg
import numpy as np
import pytest

import effnet_dense
from tests.helpers.forked import finish_forked
from tests.helpers.tool import finish
from tests.helpers.trained import Run

Trained = Callable[[str], Run]
MMDET = Path(mmdet.__file__).parent / '.mim' / 'tools'
MMSEG = Path(mmseg.__file__).parent / '.mim' / 'tools'
DETECTORS = ('detector', 'mask_rcnn')


def tool(path: Path, folder: Path, *words: object) -> str:
    """Run a tool in a folder; return its output."""
    command = ('-m', 'effnet_dense.compat', path, *words)
    return finish_forked(folder / 'log.txt', *command, folder=folder)


def predicted(run: Run, folder: Path) -> Path:
    """Write a detector's predictions by mmdet's `tools/test.py`."""
    out = folder / 'predictions.pkl'
    words = [run.config, run.checkpoint, '--work-dir', folder / 'test', '--out', out]
    assert 'box AP' in tool(MMDET / 'test.py', folder, *words)
    return out


@pytest.mark.slow
@pytest.mark.parametrize('kind', DETECTORS)
def test_mmdet_tests_and_analyses(kind: str, trained: Trained, tmp_path: Path) -> None:
    run = trained(kind)
    out = predicted(run, tmp_path)
    predictor = effnet_dense.Predictor(run.config, run.checkpoint, device='cpu')
    with out.open('rb') as file:
        results = pickle.load(file)
    for result, image in zip(results, run.images, strict=True):
        wanted = predictor(str(image)).pred_instances
        np.testing.assert_allclose(result['pred_instances']['scores'], wanted.scores, atol=1e-4)
        np.testing.assert_allclose(result['pred_instances']['bboxes'], wanted.bboxes, atol=1e-2)
    analysis = MMDET / 'analysis_tools'
    words = [run.config, out]
    tool(analysis / 'analyze_results.py', tmp_path, *words, tmp_path / 'shown', '--topk', 1)
    assert len(list((tmp_path / 'shown' / 'good').iterdir())) == 1
    tool(analysis / 'confusion_matrix.py', tmp_path, *words, tmp_path / 'matrix')
    assert (tmp_path / 'matrix' / 'confusion_matrix.png').is_file()


@pytest.mark.slow
@pytest.mark.parametrize('kind', DETECTORS)
def test_mmdet_trains_and_measures(kind: str, trained: Trained, tmp_path: Path) -> None:
    run, analysis = trained(kind), MMDET / 'analysis_tools'
    tool(MMDET / 'train.py', tmp_path, run.config, '--work-dir', tmp_path / 'again')
    assert (tmp_path / 'again' / 'epoch_1.pth').is_file()
    words = ['--output-dir', tmp_path / 'drawn', '--not-show']
    tool(analysis / 'browse_dataset.py', tmp_path, run.config, *words)
    assert len(list((tmp_path / 'drawn').iterdir())) == 4
    assert 'Flops:' in tool(analysis / 'get_flops.py', tmp_path, run.config, '--num-images', 1)
    loading = ['--task', 'dataloader', '--max-iter', 2, '--num-warmup', 1]
    assert 'fps' in tool(analysis / 'benchmark.py', tmp_path, run.config, *loading)


@pytest.mark.slow
def test_mmdet_tests_with_augmentation(trained: Trained, tmp_path: Path) -> None:
    run = trained('detector')
    words = [run.config, run.checkpoint, '--work-dir', tmp_path / 'tta', '--tta']
    assert 'box AP' in tool(MMDET / 'test.py', tmp_path, *words)


@pytest.mark.slow
def test_mmseg_tests_and_analyses(trained: Trained, tmp_path: Path) -> None:
    run, maps = trained('segmentor'), tmp_path / 'maps'
    # The tool's own --out needs a single metric, and this config has two.
    out = [f'test_evaluator.0.output_dir={maps}', 'test_evaluator.0.keep_results=True']
    words = [run.config, run.checkpoint, '--work-dir', tmp_path / 'test', '--cfg-options', *out]
    assert 'mIoU' in tool(MMSEG / 'test.py', tmp_path, *words)
    predictor = effnet_dense.Predictor(run.config, run.checkpoint, device='cpu')
    for image in run.images:
        found = cv2.imread(str(maps / f'{image.stem}.png'), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(found, predictor(str(image)).pred_sem_seg.data[0])
    words = [run.config, maps, tmp_path / 'matrix']
    tool(MMSEG / 'analysis_tools' / 'confusion_matrix.py', tmp_path, *words)
    assert (tmp_path / 'matrix' / 'confusion_matrix.png').is_file()


@pytest.mark.slow
def test_mmseg_trains_and_measures(trained: Trained, tmp_path: Path) -> None:
    run, analysis = trained('segmentor'), MMSEG / 'analysis_tools'
    tool(MMSEG / 'train.py', tmp_path, run.config, '--work-dir', tmp_path / 'again')
    assert (tmp_path / 'again' / 'iter_2.pth').is_file()
    flops = tool(analysis / 'get_flops.py', tmp_path, run.config, '--shape', 64, 64)
    assert 'Flops:' in flops
    words = ['--output-dir', tmp_path / 'drawn', '--not-show']
    tool(analysis / 'browse_dataset.py', tmp_path, run.config, *words)
    assert len(list((tmp_path / 'drawn').iterdir())) == 4
    # Its figure is of images 6 to 200, and is NaN for the two of this data.
    words = [run.config, run.checkpoint, '--work-dir', tmp_path]
    assert 'Average fps of 1 evaluations' in tool(analysis / 'benchmark.py', tmp_path, *words)


@pytest.mark.slow
def test_a_config_imports_the_package_for_mmsegs_tool(trained: Trained, tmp_path: Path) -> None:
    """In a new process, without any import of the package but that of `custom_imports`."""
    run = trained('segmentor')
    words = [MMSEG / 'test.py', run.config, run.checkpoint, '--work-dir', tmp_path]
    assert 'mIoU' in finish(tmp_path / 'log.txt', sys.executable, *words)
    (saved,) = tmp_path.glob('*/*.json')
    assert json.loads(saved.read_text(encoding='utf-8'))['mIoU'] >= 0


def test_a_script_that_does_not_exist() -> None:
    from effnet_dense.compat.__main__ import main

    with pytest.raises(SystemExit, match='expected a script, got none'):
        main(['none.py'])
