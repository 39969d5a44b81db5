"""Prepare networks for training: plain, from CUDA graphs, or compiled."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.implementation import OURS, Implementation
from benchmarks.training_step import TrainingStep
from effnet_dense.analysis.settings import Settings
from effnet_dense.engine.compiled import compile_parts
from effnet_dense.engine.cuda_graphs import use_cuda_graphs

TRAINING_MODES = ('plain', 'graphed', 'compiled')
ACCELERATED = TRAINING_MODES[1:]


class GraphedStep(TrainingStep):
    """A step whose passes are captured as CUDA graphs at the first call, as `--cuda-graphs` does.

    On a CPU the passes run as they are: everything but the capture.
    """

    def __init__(self, model: nn.Module, x: Tensor, settings: Settings) -> None:
        super().__init__(model, x, settings)
        graph = None if settings.on_cuda else _uncaptured
        self.parts = use_cuda_graphs(model, warnings.warn, graph)

    def __call__(self) -> None:
        """Run both passes."""
        for part in self.parts.values():
            part.used = False
        super().__call__()


def prepare_for_training(
    implementation: Implementation, model: nn.Module, x: Tensor, settings: Settings, **options: Any
) -> TrainingStep:
    """Return a training step in the implementation's mode; those of inference are plain ones.

    Args:
        implementation: Provides mode and ecosystem.
        model: Its network in training mode; changed in place.
        x: Images (N, 3, H, W).
        settings: Device and precision.
        options: Of `torch.compile`, in the mode 'compiled'.
    """
    if implementation.mode == 'graphed':
        return GraphedStep(model, x, settings)
    if implementation.mode == 'compiled' and implementation.ecosystem == OURS:
        compile_parts(model, **options)
    elif implementation.mode == 'compiled':
        model.forward = torch.compile(model.forward, **options)
    return TrainingStep(model, x, settings)


def in_modes(
    implementations: Sequence[Implementation], modes: Sequence[str]
) -> list[Implementation]:
    """Return each implementation in each mode."""
    return [found.in_mode(mode) for found in implementations for mode in modes]


def _uncaptured(module: Any, *_: Any, **__: Any) -> Any:
    return module
