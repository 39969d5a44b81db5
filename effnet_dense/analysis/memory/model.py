"""A config's model as it trains on one device."""

from __future__ import annotations

import copy
from typing import Any

from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from effnet_dense.analysis.memory.batch import check_takes_images
from effnet_dense.engine.channels_last import use_channels_last
from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.engine.runner import built_from
from effnet_dense.lean.segments import check_lean


def build_model(config: Config, lean: int | None = None) -> nn.Module:
    """Build it in training mode, with random weights, and BN for SyncBN as on one GPU.

    Args:
        config: Of a detector or a segmentor.
        lean: In place of what the config says.

    Raises:
        KeyError: an unknown type of the model or of its parts.
        ValueError: an impossible model, one that takes no images, or one without anything lean.
    """
    if not config.get('model'):
        raise ValueError('the config has no model')
    init_default_scope(config.get('default_scope') or 'mmdet')
    with built_from('model'):
        # Building changes some configs, such as Deformable DETR's.
        model = revert_sync_batchnorm(MODELS.build(copy.deepcopy(config.model)))
    check_takes_images(model)
    check_channels(model)
    if lean is not None:
        set_lean(model, lean)
    if config.get('channels_last'):
        use_channels_last(model)
    return model.train()


def set_lean(model: nn.Module, lean: int) -> None:
    """Set what all parts save that know `lean`.

    Raises:
        ValueError: no such level, or no such parts.
    """
    check_lean(lean)
    parts: list[Any] = [module for module in model.modules() if hasattr(module, 'lean')]
    if not parts:
        raise ValueError(f'--lean {lean}: no part of this model can be lean')
    for part in parts:
        part.lean = lean
