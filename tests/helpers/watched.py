"""Trainings that record what was run: rates, images per step, and the type of features."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from effnet_dense.engine.config import load_config
from effnet_dense.engine.jobs import build_runner
from effnet_dense.settings import Settings
from tests.helpers.tiny import narrow_retinanet, options
from tests.helpers.tiny_models import DETECTOR

# Settings decide about these in place of the options of `tiny`.
BY_SETTINGS = (
    *('train_cfg.max_epochs', 'train_cfg.val_interval', 'train_dataloader.batch_size'),
    *(
        f'{loop}_dataloader.{key}'
        for loop in ('train', 'val', 'test')
        for key in ('num_workers', 'persistent_workers')
    ),
)


@dataclass
class Seen:
    """What a training did.

    Attributes:
        rates: The learning rate of each step.
        images: The number of images of each step.
        kinds: The types of the backbone's features in training.
        validations: The epoch, or iteration, of each validation.
    """

    rates: list[float] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    kinds: set[torch.dtype] = field(default_factory=set)
    validations: list[int] = field(default_factory=list)


class Watch(Hook):
    """Record a training.

    Args:
        figures: Results of validations that replace those that are computed.
    """

    priority = 'VERY_HIGH'

    def __init__(self, figures: dict[str, float] | None = None) -> None:
        self.seen = Seen()
        self.figures = figures or {}

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        if metrics is not None:
            metrics.update(self.figures)

    def before_train(self, runner: Runner) -> None:
        runner.model.backbone.register_forward_hook(self._features)

    def _features(self, module: torch.nn.Module, inputs: Any, outputs: Any) -> None:
        if module.training:
            self.seen.kinds |= {feature.dtype for feature in outputs}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.seen.rates.append(runner.optim_wrapper.param_groups[0]['lr'])
        self.seen.images.append(len(data_batch['inputs']))

    def before_val_epoch(self, runner: Runner) -> None:
        loop = runner.train_loop
        self.seen.validations.append(
            loop.epoch if 'max_epochs' in runner.cfg.train_cfg else loop.iter
        )


def tiny_config(data: Path, work_dir: Path, settings: Settings, **more: Any) -> Config:
    """The config of a narrow RetinaNet that trains on tiny data with settings."""
    values = {**options(), **narrow_retinanet(), 'report': False}
    values = {key: value for key, value in values.items() if key not in BY_SETTINGS}
    return load_config(DETECTOR, data, {**values, **more}, work_dir, settings=settings)


def train_watched(config: Config, **figures: float) -> tuple[Seen, Runner]:
    """Train; return what was seen, and the runner. `figures` replace results of validations."""
    runner = build_runner(config)
    watch = Watch(figures)
    runner.register_hook(watch)
    runner.train()
    return watch.seen, runner
