"""Prepare networks for inference: plain, with norms folded, or compiled."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.fold_norms import fold_norms
from benchmarks.implementation import OURS, Implementation
from effnet_dense.analysis.latency import calibrate_norms
from effnet_dense.deployment import deploy

MODES = ('plain', 'deployed', 'compiled')


def prepare_for_inference(implementation: Implementation, model: nn.Module, x: Tensor) -> nn.Module:
    """Return a copy of the network in the implementation's mode.

    Ours is prepared by `effnet_dense.deploy`; a peer by what a user can do without changing its
    code: norms folded by torch.nn.utils.fusion, and torch.compile with frozen weights.

    Args:
        implementation: Provides mode and ecosystem.
        model: Its network.
        x: Images (N, 3, H, W), from which running statistics are computed.

    Raises:
        ValueError: The mode is unknown.
    """
    if implementation.mode not in MODES:
        raise ValueError(f'mode must be one of {MODES}, got {implementation.mode!r}')
    model = copy.deepcopy(model)
    calibrate_norms(model, x)
    model.eval()
    if implementation.mode == 'plain':
        return model
    if implementation.ecosystem == OURS:
        return deploy(model, compile=implementation.mode == 'compiled')
    model = fold_norms(model, x)
    return FrozenCompiled(model) if implementation.mode == 'compiled' else model


class FrozenCompiled(nn.Module):
    """A model compiled with its weights as constants."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.compiled = torch.compile(model)

    def forward(self, x: Tensor) -> Any:
        """Return the model's outputs."""
        from torch._inductor import config

        # The setting is read when the graph is captured, at the first call.
        with config.patch(freezing=True):
            return self.compiled(x)
