"""Hooks that make one of several processes fail."""

from __future__ import annotations

import math
import os
import signal
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class DieOnceHook(Hook):
    """Kills the last process after an iteration, the first time it is reached."""

    priority = 'LOWEST'

    def __init__(self, after: int) -> None:
        self.after = after

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Kill this process."""
        mark = Path(runner.work_dir, 'died')
        last = runner.rank == runner.world_size - 1
        if last and runner.iter + 1 == self.after and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class PoisonLastHook(Hook):
    """Sets an image of the last process to NaN in one iteration."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the first image to NaN."""
        if runner.rank == runner.world_size - 1 and runner.iter + 1 == self.iteration:
            data_batch['inputs'][0] = torch.full((3, 64, 64), math.nan)
