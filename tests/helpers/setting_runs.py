"""Train with settings on tiny data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense.engine.config import load_config
from effnet_dense.settings import Settings


def tiny_run(
    name: str, data: Path | None, work_dir: Path, settings: Settings, **more: Any
) -> Config:
    """Return the config of a run of one epoch, or one iteration, without workers and report."""
    options: dict[str, Any] = {'report': False, 'train_dataloader.batch_size': 2, **more}
    for loop in ('train', 'val', 'test'):
        options[f'{loop}_dataloader.num_workers'] = 0
        options[f'{loop}_dataloader.persistent_workers'] = False
    config = load_config(name, data, options, work_dir, settings=settings)
    config.train_cfg['max_epochs' if 'max_epochs' in config.train_cfg else 'max_iters'] = 1
    config.train_cfg.val_interval = 1
    config.param_scheduler = []
    return config
