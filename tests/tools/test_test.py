"""tools/test.py: metrics, pictures and predictions from a checkpoint, and its errors."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

from tests.helpers.tiny_models import DETECTOR, SMALL
from tests.helpers.tool import call


def test_metrics_pictures_and_predictions(
    checkpoint: Path, tiny_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, pictures = tmp_path / 'found.pkl', tmp_path / 'pictures'
    words = [DETECTOR, checkpoint, '--data', tiny_data, '--work-dir', tmp_path, *SMALL]
    assert call('test', *words, '--out', out, '--show-dir', pictures) == 0
    assert 'box AP 0.0' in (shown := ''.join(capfd.readouterr())) and 'AP50 ' in shown
    assert (tmp_path / 'report' / 'data' / 'detections.npz').is_file()
    assert 'Best and worst images' in (tmp_path / 'report' / 'index.html').read_text(
        encoding='utf-8'
    )
    found = pickle.loads(out.read_bytes())
    assert [len(sample['pred_instances']['scores']) > 0 for sample in found] == [True, True]

    for name in ('0.png', '1.png'):
        drawn = cv2.imread(str(pictures / name))
        original = cv2.imread(str(tiny_data / 'images' / 'val' / name))
        height, width = original.shape[:2]
        assert drawn.shape == (height, 2 * width, 3), 'ground truth left, prediction right'
        for half in (drawn[:, :width], drawn[:, width:]):
            assert (half != original).any(), 'nothing was drawn'


@pytest.mark.slow
def test_the_deployed_model_has_the_same_metrics(
    checkpoint: Path, tiny_data: Path, tmp_path: Path
) -> None:
    metrics, found = [], []
    for words in ([], ['--deploy']):
        folder = tmp_path / '-'.join(words)
        out = folder / 'found.pkl'
        words = [*words, '--data', tiny_data, '--work-dir', folder, '--out', out, *SMALL]
        assert call('test', DETECTOR, checkpoint, *words) == 0
        (path,) = folder.glob('[0-9]*/*.json')
        metrics.append(json.loads(path.read_text(encoding='utf-8')))
        found.append(pickle.loads(out.read_bytes()))
    plain, deployed = (
        {key: value for key, value in each.items() if key.startswith('coco/')} for each in metrics
    )
    assert deployed == plain
    assert 'coco/bbox_mAP' in plain
    scores = [[sample['pred_instances']['scores'] for sample in samples] for samples in found]
    torch.testing.assert_close(scores[1], scores[0])


def test_batches_after_the_first_run_from_cuda_graphs(
    checkpoint: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    def capture(module: Any, samples: Any, allow_unused_input: bool) -> Any:
        def replay(*inputs: Any) -> Any:
            runs.append(type(module.part).__name__)
            return module(*inputs)

        return replay

    for name in ('jobs.check_graphs_device', 'inference_graphs.check_graphs_device'):
        monkeypatch.setattr(f'effnet_dense.engine.{name}', lambda _: None)
    monkeypatch.setattr('effnet_dense.engine.inference_graphs.capture', capture)
    found = []
    for flags in (['--deploy'], ['--deploy', '--cuda-graphs']):
        out = tmp_path / f'{len(flags)}.pkl'
        words = ['--data', tiny_data, '--work-dir', tmp_path, '--batch-size', 1, *SMALL]
        assert call('test', DETECTOR, checkpoint, '--out', out, *flags, *words) == 0
        found.append(
            [sample['pred_instances']['bboxes'] for sample in pickle.loads(out.read_bytes())]
        )
    assert runs == ['EfficientNet', 'FPN', 'RetinaSepBNHead']  # of the second of two images
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=0)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ((), "cuda_graphs needs a GPU, and the model runs on 'cpu'"),
        (('--tta',), 'cuda_graphs is for images of one size: expected it without tta'),
    ],
)
def test_cuda_graphs_are_refused_before_data_are_made(
    words: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if words:
        monkeypatch.setattr('effnet_dense.engine.jobs.check_graphs_device', lambda _: None)
    words = (DETECTOR, 'x.pth', '--data', 'demo', '--cuda-graphs', *words)
    assert call('test', *words) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_predictions_go_to_a_pickle(
    checkpoint: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [DETECTOR, checkpoint, '--data', tiny_data, '--out', 'found.json', *SMALL]
    assert call('test', *words) == 2
    assert "'.pkl'" in capsys.readouterr().err


@pytest.mark.slow
def test_absent_truncated_and_hostile_checkpoints(
    checkpoint: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = tmp_path / 'marker'

    class RunsCode:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f'touch {marker}',)

    (tmp_path / 'empty.pth').touch()
    (tmp_path / 'half.pth').write_bytes(checkpoint.read_bytes()[:50_000])
    torch.save(dict(state_dict=RunsCode()), tmp_path / 'hostile.pth')
    for name in ('absent', 'empty', 'half', 'hostile'):
        path = tmp_path / f'{name}.pth'
        words = [DETECTOR, path, '--data', tiny_data, '--work-dir', tmp_path, *SMALL]
        assert call('test', *words) == 2
        *_, last = capsys.readouterr().err.strip().splitlines()
        assert last.startswith('error: ')
        assert str(path) in last
        if name != 'absent':
            words = [DETECTOR, '--data', tiny_data, '--work-dir', tmp_path, *SMALL]
            assert call('train', *words, '--resume', path) == 2
            assert str(path) in capsys.readouterr().err
    assert not marker.exists()


@pytest.mark.slow
def test_a_test_needs_no_training_data(checkpoint: Path, tiny_data: Path, tmp_path: Path) -> None:
    data = tmp_path / 'only_val'
    (data / 'annotations').mkdir(parents=True)
    (data / 'annotations' / 'val.json').symlink_to(tiny_data / 'annotations' / 'val.json')
    (data / 'images').symlink_to(tiny_data / 'images')
    words = [DETECTOR, checkpoint, '--data', data, '--work-dir', tmp_path, *SMALL, 'report=False']
    assert call('test', *words) == 0
    assert not (tmp_path / 'report').exists()
