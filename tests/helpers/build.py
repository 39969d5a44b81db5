"""Where the shipped configs are, and their models without downloads."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope

FOLDER = Path(__file__).resolve().parents[2] / 'configs'


def build(config: Config) -> BaseModel:
    """The config's model with random weights, its SyncBN made BN as the runner does on a CPU."""
    init_default_scope(config.default_scope)
    config.model.backbone.init_cfg = None
    return revert_sync_batchnorm(MODELS.build(config.model))
