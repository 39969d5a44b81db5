"""Count parameters and FLOPs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """Count the elements of all parameters, shared ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_gflops(model: nn.Module, x: Tensor) -> float:
    """Count 10⁹ multiply-adds of the convolutions and matrix products in a forward pass.

    These are the papers' FLOPs; PyTorch's counter counts two operations for each. oneDNN is
    switched off, since our depthwise convolutions pad their kernels with zeros for it.

    Args:
        model: Runs in eval mode; its mode is restored.
        x: Images (N, 3, H, W).
    """
    training = model.training
    model.eval()
    with torch.no_grad(), _without_onednn(), FlopCounterMode(display=False) as counter:
        model(x)
    model.train(training)
    return counter.get_total_flops() / 2e9


@contextmanager
def _without_onednn() -> Iterator[None]:
    """Switch oneDNN off; `flags` of PyTorch would reset its precision too."""
    backend: Any = torch.backends.mkldnn
    enabled = backend.enabled
    backend.enabled = False
    try:
        yield
    finally:
        backend.enabled = enabled
