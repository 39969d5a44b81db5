"""Test a model whose parts run from CUDA graphs (`--cuda-graphs`)."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from effnet_dense.engine.cuda_graphs import GraphedPart
from effnet_dense.engine.inference_graphs import graph_inference
from effnet_dense.utils.wrappers import unwrap_model


class InferenceGraphsHook(Hook):
    """Run the first batch as usual, and the following ones of its size from CUDA graphs.

    A graph cannot hold what watches the outputs of the first batch, see `FiniteOutputsHook`.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.parts: dict[str, GraphedPart] = {}

    def before_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Allow the graphs again."""
        for part in self.parts.values():
            part.used = False

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Let the model's parts be captured, in the second batch.

        Raises:
            ValueError: See `graph_inference`.
        """
        if not self.parts:
            self.parts = graph_inference(unwrap_model(runner.model), runner.logger.warning)
