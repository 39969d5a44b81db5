"""The images per optimizer step of a config, and the number that its learning rate is meant for."""

from __future__ import annotations

import os
from typing import Any

from mmengine.config import Config

from effnet_dense.engine.processes import LAUNCHER_VARIABLES


def images_per_step(config: Config) -> int:
    """Return batch size × processes × accumulated batches."""
    wrapper: Any = config.get('optim_wrapper') or {}
    accumulated = wrapper.get('accumulative_counts') or 1
    batch = (config.get('train_dataloader') or {}).get('batch_size') or 1
    return int(batch * processes(config) * accumulated)


def processes(config: Config) -> int:
    """Return the number of processes that the launcher has started."""
    variables = LAUNCHER_VARIABLES.get(config.get('launcher', 'none'), {})
    count = os.environ.get(variables.get('WORLD_SIZE', ''), '1')
    return max(int(count), 1) if count.isdecimal() else 1


def base_batch_size(config: Config) -> int | None:
    """Return the images per step that the config's learning rate is meant for, if it says so."""
    return (config.get('auto_scale_lr') or {}).get('base_batch_size')


def mean_rate_for(config: Config, images: int) -> None:
    """Write that the learning rate is meant for so many images, where the config says anything."""
    if base_batch_size(config):
        config.auto_scale_lr.base_batch_size = images
