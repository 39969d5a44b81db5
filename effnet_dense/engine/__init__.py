"""What the tools run: configs from files and options, the runner, its checkpoints and processes."""

from effnet_dense.engine.amp import CPUAmpOptimWrapper
from effnet_dense.engine.config import find_config, load_config
from effnet_dense.engine.hooks.finite import FiniteHook
from effnet_dense.engine.hooks.pictures import PicturesHook
from effnet_dense.engine.hooks.progress_bar import ProgressHook
from effnet_dense.engine.hooks.skip_bad import SkipBadHook
from effnet_dense.engine.runner import Runner

__all__ = [
    'CPUAmpOptimWrapper',
    'FiniteHook',
    'PicturesHook',
    'ProgressHook',
    'Runner',
    'SkipBadHook',
    'find_config',
    'load_config',
]
