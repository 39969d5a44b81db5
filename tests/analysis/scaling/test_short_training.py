"""A candidate's short training: schedule and metric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from effnet_dense.analysis.scaling import short_training
from effnet_dense.analysis.scaling.short_training import (
    default_metric,
    set_training_steps,
    train_and_evaluate,
)
from effnet_dense.engine.config import load_config


def test_short_trainings() -> None:
    config = load_config('efficientdet_lite0_finetune')
    set_training_steps(config, 20)
    assert config.train_cfg == dict(type='IterBasedTrainLoop', max_iters=20, val_interval=20)
    warm, cosine = config.param_scheduler
    assert (warm['end'], cosine['begin'], cosine['end'], cosine['T_max']) == (2, 2, 20, 18)
    with pytest.raises(ValueError, match='steps must be at least 1, got 0'):
        set_training_steps(config, 0)


def test_the_configs_metric() -> None:
    assert default_metric(load_config('efficientdet_lite0_finetune')) == 'coco/bbox_mAP'
    config = load_config('effnet_lite0_fpn_camvid')
    assert default_metric(config) == 'mIoU'
    config.val_evaluator = dict(type='Other')
    with pytest.raises(ValueError, match=r"--metric is needed.*\['Other'\]"):
        default_metric(config)


@pytest.mark.parametrize(
    ('metrics', 'message'),
    [
        ({'mIoU': float('nan')}, 'got nan: does the validation set have'),
        ({'aAcc': 1.0}, 'only aAcc'),
    ],
)
def test_without_a_metric_there_is_no_result(
    metrics: dict[str, float], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pretender:
        def register_hook(self, hook: Any) -> None:
            self.hook = hook

        def train(self) -> None:
            self.hook.after_val_epoch(self, metrics)

    monkeypatch.setattr(short_training, 'check_data_files', lambda config, splits: None)
    monkeypatch.setattr(short_training, 'build_runner', lambda config: Pretender())
    with pytest.raises((ValueError, KeyError), match=message):
        train_and_evaluate(load_config('effnet_lite0_fpn_camvid'), tmp_path, 'mIoU')
