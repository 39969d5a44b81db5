"""Let each step replay its CUDA graphs once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmengine.hooks import Hook

from effnet_dense.engine.cuda_graphs import GraphedPart


class CUDAGraphsHook(Hook):
    """Tell graphed parts that a step begins.

    Args:
        parts: Of the model that trains.
    """

    priority = 'VERY_HIGH'

    def __init__(self, parts: Iterable[GraphedPart]) -> None:
        self.parts = list(parts)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Allow the graphs again."""
        for part in self.parts:
            part.used = False
