"""Run configs: command line, config files, the runner with its loops, hooks and checkpoints."""

from effnet_dense.engine.amp import CPUAmpOptimWrapper
from effnet_dense.engine.config import find_config, load_config
from effnet_dense.engine.hooks import (
    ChannelsLastHook,
    CheckpointHook,
    FiniteHook,
    PicturesHook,
    ProgressHook,
    SkipBadHook,
)
from effnet_dense.engine.loops import EpochBasedTrainLoop, IterBasedTrainLoop
from effnet_dense.engine.runner import Runner

__all__ = [
    'CPUAmpOptimWrapper',
    'ChannelsLastHook',
    'CheckpointHook',
    'EpochBasedTrainLoop',
    'FiniteHook',
    'IterBasedTrainLoop',
    'PicturesHook',
    'ProgressHook',
    'Runner',
    'SkipBadHook',
    'find_config',
    'load_config',
]
