"""`--tensorboard`, `--wandb` and `--mlflow`: where else scalars go."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name

BACKENDS = dict(
    tensorboard='TensorboardVisBackend', wandb='WandbVisBackend', mlflow='MLflowVisBackend'
)
"""A logger, which is also the name of its package → mmengine's class."""
LOCAL = 'LocalVisBackend'


def set_loggers(config: Config, loggers: Sequence[str]) -> None:
    """Add logging backends to the visualizer, besides those that it has.

    Args:
        config: Changed in place.
        loggers: Some of `BACKENDS`.

    Raises:
        ImportError: The package of one is not installed.
    """
    for name in loggers:
        if importlib.util.find_spec(name) is None:
            raise ImportError(f'--{name} needs a package that is not installed: pip install {name}')
    visualizer: Any = config.get('visualizer') or dict(type='Visualizer')
    backends = visualizer.get('vis_backends') or [dict(type=LOCAL)]
    backends = [backends] if isinstance(backends, dict) else list(backends)
    have = {type_name(backend) for backend in backends}
    added = [dict(type=BACKENDS[name]) for name in loggers if BACKENDS[name] not in have]
    config.visualizer = {**visualizer, 'vis_backends': [*backends, *added]}
