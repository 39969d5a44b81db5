"""What the tools run: configs from files and options, the runner, its checkpoints and processes."""

from effnet_dense.engine.amp import CPUAmpOptimWrapper
from effnet_dense.engine.config import find_config, load_config
from effnet_dense.engine.pictures import PicturesHook
from effnet_dense.engine.progress import ProgressHook
from effnet_dense.engine.runner import Runner

__all__ = [
    'CPUAmpOptimWrapper',
    'PicturesHook',
    'ProgressHook',
    'Runner',
    'find_config',
    'load_config',
]
