"""Trainings of seconds that can be stopped anywhere, and the states that they end in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from torch import Tensor

from effnet_dense.engine.config import load_config
from effnet_dense.engine.runner import Runner
from effnet_dense.weights.safe import safe_load
from tests.helpers.tiny import narrow_retinanet, options

STEPS = 12
SMALL = {
    'report': False,
    'model.backbone.arch': dict(_delete_=True, base='b0', width=0.25, depth=0.5),
    # Uses torch's generator, in the blocks that are repeated.
    'model.backbone.drop_path_rate': 0.2,
    'model.backbone.norm_eval': False,
    'model.neck.in_channels': [16, 32, 80],
    **narrow_retinanet(),
    'custom_hooks': [dict(type='EMAHook', momentum=0.1)],
    'train_cfg.val_interval': 1,
}
EPOCHS = {'train_cfg.max_epochs': 3}
"""Of four batches: images 8, 2 a step."""
ITERATIONS = {
    'train_cfg': dict(type='IterBasedTrainLoop', max_iters=STEPS, val_interval=5),
    'train_dataloader.sampler.type': 'InfiniteSampler',
    'default_hooks.checkpoint.by_epoch': False,
    'default_hooks.checkpoint.interval': 5,
    'param_scheduler': [dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=10)],
}
ENDING_SAMPLER = {**ITERATIONS, 'train_dataloader.sampler.type': 'DefaultSampler'}


def config(data: Path, work_dir: Path, **changes: Any) -> Config:
    """The fine-tuning config with a model of a few thousand weights; BN trains, EMA on."""
    values = options(**{**SMALL, **changes})
    train_cfg = values.get('train_cfg')
    if train_cfg is not None:
        values = {k: v for k, v in values.items() if not k.startswith('train_cfg.')}
    found = load_config('effnet_lite0_retinanet_finetune', data, values, work_dir)
    if train_cfg is not None:
        found.train_cfg = train_cfg  # in place of, not merged into, the epochs'
    return found


def end_state(checkpoint: Path) -> dict[str, Tensor]:
    """All tensors that a run ends with: weights, averages, the optimizer's, schedules' rates."""
    state = safe_load(checkpoint)
    found = {f'weights {k}': v for k, v in state['state_dict'].items()}
    found |= {f'average {k}': v for k, v in state['ema_state_dict'].items()}
    for number, moments in state['optimizer']['state'].items():
        found |= {f'optimizer {number} {k}': v for k, v in moments.items()}
    for number, schedule in enumerate(state['param_schedulers']):
        found[f'schedule {number}'] = torch.tensor(schedule['_last_value'], dtype=torch.float64)
    return found


def differences(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """The names of tensors that are not equal to the bit."""
    names = one.keys() | other.keys()
    return sorted(
        name
        for name in names
        if name not in one or name not in other or not torch.equal(one[name], other[name])
    )


def plain_config_text() -> pytest.MonkeyPatch:
    """Spare each checkpoint the half second that formatting the config's text takes."""
    patch = pytest.MonkeyPatch()
    patch.setattr(Config, 'pretty_text', property(lambda config: 'formatted elsewhere'))
    return patch


class PowerCut(Exception):
    """Ends a run at once."""


class CutHook(Hook):
    """Ends a run after some iteration, after everything that the other hooks do."""

    priority = 'LOWEST'

    def __init__(self, after: int) -> None:
        self.after = after

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """End it."""
        if runner.iter + 1 == self.after:
            raise PowerCut
