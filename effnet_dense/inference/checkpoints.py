"""From a config and a checkpoint to a model with weights."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS
from torch import nn

from effnet_dense.engine.config import load_config
from effnet_dense.engine.run_folder import checkpoint_of, is_run
from effnet_dense.engine.settings.published_detector import fitted_to_detector
from effnet_dense.utils.config_errors import config_errors
from effnet_dense.utils.urls import public_name
from effnet_dense.weights import fetch
from effnet_dense.weights.load import load_silently
from effnet_dense.weights.sources import Source


def checkpoint_given(config: Any, checkpoint: Any) -> Source:
    """Check the kinds of a predictor's first two arguments, and return the checkpoint."""
    if not isinstance(config, str | PathLike | Config):
        raise ValueError(
            f'expected config as a path, a name or a Config, got a {type(config).__name__}'
        )
    if checkpoint is None:
        if isinstance(config, Config) or not is_run(config):
            shown = 'a Config' if isinstance(config, Config) else repr(str(config))
            raise ValueError(
                f'{shown} is neither a work folder nor a checkpoint: expected a checkpoint after it'
            )
        return checkpoint_of(config)
    if not isinstance(checkpoint, str | PathLike):
        raise ValueError(
            'expected checkpoint as a path, a URL or a named source, got a '
            f'{type(checkpoint).__name__}'
        )
    return checkpoint


def local_checkpoint(
    config: str | PathLike[str] | Config, checkpoint: Source | None
) -> tuple[Config, Path]:
    """Return a config and the local file of its checkpoint."""
    checkpoint = checkpoint_given(config, checkpoint)
    return config_for(config, checkpoint), Path(fetch(checkpoint))


def config_for(config: str | PathLike[str] | Config, checkpoint: Source) -> Config:
    """Return a config, loaded, with what the weights of a published detector require."""
    loaded = config if isinstance(config, Config) else load_config(str(config), splits=('val',))
    return fitted_to_detector(loaded, checkpoint)


def build_model(config: Any) -> nn.Module:
    with config_errors('model'):
        return revert_sync_batchnorm(MODELS.build(config))


def load_all(model: nn.Module, checkpoint: Source) -> None:
    report = load_silently(model, checkpoint)
    if not report.as_saved:
        print_log(f'{public_name(checkpoint)}: {report}', logger='current')
    if report.missing:
        raise ValueError(
            f'{public_name(checkpoint)} cannot be used, parameters of the model are missing in it: '
            f'{report}'
        )
