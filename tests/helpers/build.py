"""Find the shipped configs and build their models without downloads."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope

FOLDER = Path(__file__).resolve().parents[2] / 'configs'


def build(config: Config) -> BaseModel:
    """Build the config's model with random weights; SyncBN becomes BN, as on the runner's CPU."""
    init_default_scope(config.default_scope)
    config.model.backbone.init_cfg = None
    return revert_sync_batchnorm(MODELS.build(config.model))
