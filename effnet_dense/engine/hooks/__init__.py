"""Hooks of training and testing runs."""

from effnet_dense.engine.hooks.channels_last import ChannelsLastHook
from effnet_dense.engine.hooks.checkpoint import CheckpointHook, PlainSchedulerStates
from effnet_dense.engine.hooks.evaluated_model import DeployHook, UnwrappedTTAHook
from effnet_dense.engine.hooks.finite import FiniteHook
from effnet_dense.engine.hooks.patience import PatienceHook
from effnet_dense.engine.hooks.pictures import PicturesHook
from effnet_dense.engine.hooks.progress import ProgressHook
from effnet_dense.engine.hooks.skip_bad import SkipBadHook
from effnet_dense.engine.hooks.stopping import StopHook

__all__ = [
    'ChannelsLastHook',
    'CheckpointHook',
    'DeployHook',
    'FiniteHook',
    'PatienceHook',
    'PicturesHook',
    'PlainSchedulerStates',
    'ProgressHook',
    'SkipBadHook',
    'StopHook',
    'UnwrappedTTAHook',
]
