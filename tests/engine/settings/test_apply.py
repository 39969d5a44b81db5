"""Settings of a run, as they are built and run."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path

import pytest
import torch

from effnet_dense.engine.checks.arguments import check_arguments
from effnet_dense.engine.config_files import read_config
from effnet_dense.engine.settings import set_after_data, set_before_data
from effnet_dense.settings import Settings
from tests.helpers.tiny import write_data
from tests.helpers.watched import tiny_config, train_watched

tensorboard = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')


def test_one_run_with_many_settings(tmp_path: Path) -> None:
    """Two epochs of three steps with two images, at another rate, in bfloat16, into TensorBoard."""
    settings = Settings(
        epochs=2,
        batch_size=2,
        lr=0.001,
        precision='bf16',
        seed=7,
        workers=0,
        lean=2,
        device='cpu',
        loggers=('tensorboard',),
    )
    config = tiny_config(write_data(tmp_path / 'data', train=6), tmp_path / 'run', settings)
    seen, runner = train_watched(config)
    assert seen.images == [2] * 6
    # Warm-up in 2/15 of six steps is less than two: cosine from step 1, in five steps to zero.
    assert seen.rates[0] == pytest.approx(0.001)
    assert seen.rates[-1] == pytest.approx(0.001 * 0.0955, rel=0.01)  # (1 + cos(0.8π)) / 2
    assert seen.kinds == {torch.bfloat16}
    assert seen.validations == [1, 2]
    assert runner.seed == 7
    assert runner.train_dataloader.num_workers == runner.val_dataloader.num_workers == 0
    assert (tmp_path / 'run' / 'epoch_2.pth').is_file()
    found = tensorboard.EventAccumulator(str(next(tmp_path.rglob('events.out*')).parent))
    found.Reload()
    tags = set(found.Tags()['scalars'])
    assert {'lr', 'loss', 'coco/bbox_mAP'} <= tags
    assert len(found.Scalars('loss')) == 6
    (log,) = (tmp_path / 'run').glob('*/*.log')
    assert 'curves: tensorboard --logdir ' in log.read_text(encoding='utf-8')


@pytest.mark.slow
def test_iterations_in_place_of_epochs(tmp_path: Path) -> None:
    settings = Settings(iterations=5, batch_size=4, workers=0)
    config = tiny_config(write_data(tmp_path / 'data', train=6), tmp_path / 'run', settings)
    assert config.optim_wrapper.optimizer.lr == pytest.approx(0.001)  # half of 8 images' 0.002
    seen, _ = train_watched(config)
    assert seen.images == [4, 2, 4, 2, 4]
    assert seen.rates[-1] < 0.2 * 0.001
    assert seen.validations[-1] == 5
    assert (tmp_path / 'run' / 'iter_5.pth').is_file()


STOCK = {
    'mmdet': ('detr/detr_r50_8xb2-150e_coco.py', 'yolox/yolox_s_8xb8-300e_coco.py'),
    'mmseg': ('segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',),
}


@pytest.mark.parametrize(
    'path',
    [Path(package, '.mim', 'configs', name) for package, names in STOCK.items() for name in names],
    ids=lambda path: path.stem,
)
def test_stock_configs_take_each_setting_or_say_why_not(path: Path) -> None:
    root = Path(importlib.import_module(path.parts[0]).__file__ or '').parents[1]
    stock = read_config(root / path)
    values = dict(
        epochs=5,
        iterations=300,
        batch_size=3,
        lr=0.01,
        precision='bf16',
        patience=3,
        seed=1,
        workers=0,
        loggers=('tensorboard',),
        compile=True,
        lean=2,
        device='cpu',
    )
    refused = {}
    for name, value in values.items():
        config = copy.deepcopy(stock)
        try:
            set_before_data(config, Settings(**{name: value}))
            set_after_data(config, Settings(**{name: value}))
        except ValueError as error:
            refused[name] = str(error)
        else:
            assert config.to_dict() != stock.to_dict(), name
            check_arguments(config)
    assert 'no part of the model is a backbone' in refused.pop('lean')
    if 'yolox' in path.name:
        assert 'YOLOXModeSwitchHook, switches pipelines' in refused.pop('iterations')
    assert refused == {}
