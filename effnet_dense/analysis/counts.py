"""Sizes of a network that do not depend on the machine."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(model: nn.Module) -> int:
    """Numbers that are trained, shared ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def gflops(model: nn.Module, x: Tensor) -> float:
    """10⁹ multiply-adds of convolutions and matrix products for pictures x (N, 3, H, W).

    The papers' FLOPs: PyTorch's counter has a multiplication and an addition for each. Without
    oneDNN, for which `depthwise` adds zeros to kernels.
    """
    training = model.training
    model.eval()
    plain = torch.backends.mkldnn.flags(enabled=False, allow_tf32=None)
    with torch.no_grad(), plain, FlopCounterMode(display=False) as counter:
        model(x)
    model.train(training)
    return counter.get_total_flops() / 2e9
