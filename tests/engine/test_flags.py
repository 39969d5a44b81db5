"""Flags change configs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from effnet_dense.engine.config import load_config
from effnet_dense.engine.flags import (
    draw_predictions,
    resume_from,
    scale_learning_rate,
    use_amp,
)

B3 = 'effnet_b3_retinanet_coco'


def test_amp_is_bfloat16_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(B3)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    use_amp(config)
    assert config.optim_wrapper.type == 'CPUAmpOptimWrapper'
    assert 'loss_scale' not in config.optim_wrapper
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    use_amp(config)
    assert config.optim_wrapper.type == 'AmpOptimWrapper'
    assert config.optim_wrapper.loss_scale == 'dynamic'


def test_auto_scale_needs_a_base_batch_size() -> None:
    config = load_config(B3)
    assert not config.auto_scale_lr.enable
    scale_learning_rate(config)
    assert config.auto_scale_lr == dict(enable=True, base_batch_size=32)
    with pytest.raises(ValueError, match='base_batch_size'):
        scale_learning_rate(Config(dict()))


def test_resume_auto_and_from_a_file(tmp_path: Path) -> None:
    config = Config(dict(load_from='weights.pth'))
    resume_from(config, 'auto')
    assert config.resume and config.load_from is None
    (tmp_path / 'epoch_1.pth').touch()
    resume_from(config, str(tmp_path / 'epoch_1.pth'))
    assert config.load_from == str(tmp_path / 'epoch_1.pth')
    with pytest.raises(FileNotFoundError, match='epoch_2'):
        resume_from(config, str(tmp_path / 'epoch_2.pth'))


def test_show_dir_takes_the_place_of_the_visualization_hook(tmp_path: Path) -> None:
    config = Config(dict(default_hooks=dict(visualization=dict(type='Any', score_thr=0.1))))
    draw_predictions(config, tmp_path)
    hook = config.default_hooks.visualization
    assert (hook.type, hook.score_thr) == ('effnet_dense.PicturesHook', 0.1)
    assert (hook.folder, hook.count) == (str(tmp_path), None)
    bare = Config(dict())
    draw_predictions(bare, tmp_path, count=20)
    assert bare.default_hooks.visualization.count == 20
