"""Networks made ready for inference: as they are, with norms folded, compiled."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from benchmarks.contender import OURS, Contender
from benchmarks.fold import fold_norms
from effnet_dense.deployment import deploy

MODES = ('plain', 'deployed', 'compiled')


def ready(contender: Contender, model: nn.Module, x: Tensor) -> nn.Module:
    """The network in the contender's mode.

    Ours by `effnet_dense.deploy`; a peer by what its user can do without changing its code: norms
    folded by torch.nn.utils.fusion, and torch.compile with frozen weights.

    Args:
        x: (N, 3, H, W), pictures by which running statistics are found.

    Raises:
        ValueError: The mode is unknown.
    """
    if contender.mode not in MODES:
        raise ValueError(f'mode must be one of {MODES}, got {contender.mode!r}')
    model = copy.deepcopy(model)
    calibrate(model, x)
    model.eval()
    if contender.mode == 'plain':
        return model
    if contender.ecosystem == OURS:
        return deploy(model, compile=contender.mode == 'compiled')
    model = fold_norms(model, x)
    return Frozen(model) if contender.mode == 'compiled' else model


def calibrate(model: nn.Module, x: Tensor) -> None:
    """Let batch norms have the statistics of a batch: at random weights others overflow."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()
        model(x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


class Frozen(nn.Module):
    """A model compiled with its weights as constants."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.compiled = torch.compile(model)

    def forward(self, x: Tensor) -> Any:
        """The model's results."""
        from torch._inductor import config

        # Asked for when the graph is captured, at the first call.
        with config.patch(freezing=True):
            return self.compiled(x)
