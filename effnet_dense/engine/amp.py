"""Train in mixed precision on the CPU, which mmengine's AmpOptimWrapper refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Run training's forward passes under bfloat16 autocast on the CPU.

    bfloat16 has float32's range, so the loss needs no scaling.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast inside `OptimWrapper`'s context for gradient accumulation."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield
