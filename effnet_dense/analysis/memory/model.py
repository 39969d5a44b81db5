"""Build a config's model as it trains on one device."""

from __future__ import annotations

import copy

from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from effnet_dense import lean
from effnet_dense.analysis.memory.batch import check_model_type
from effnet_dense.engine.channels_last import use_channels_last
from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.utils.config_errors import config_errors


def build_model(config: Config, level: int | None = None) -> nn.Module:
    """Build the model in training mode, with random weights, and BN for SyncBN as on one GPU.

    Args:
        config: Config of a detector or a segmentor.
        level: Level of lean training; None keeps the config's.

    Raises:
        KeyError: An unknown type of the model or of its modules.
        ValueError: An invalid model, one that takes no images, or one without lean training.
    """
    if not config.get('model'):
        raise ValueError('the config has no model')
    init_default_scope(config.get('default_scope') or 'mmdet')
    with config_errors('model'):
        # Building changes some configs, such as Deformable DETR's.
        model = revert_sync_batchnorm(MODELS.build(copy.deepcopy(config.model)))
    check_model_type(model)
    check_channels(model)
    if level is not None:
        set_lean(model, level)
    if config.get('channels_last'):
        use_channels_last(model)
    return model.train()


def set_lean(model: nn.Module, level: int) -> None:
    """Set the level of lean training in all modules that support it, see `effnet_dense.lean`.

    Raises:
        ValueError: `level` is unknown, or no module of the model supports lean training.
    """
    if not lean.apply(model, level):
        raise ValueError(f'--lean {level}: no module of this model supports lean training')
