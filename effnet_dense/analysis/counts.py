"""Count parameters and FLOPs."""

from __future__ import annotations

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
    without_onednn = torch.backends.mkldnn.flags(enabled=False, allow_tf32=None)
    with torch.no_grad(), without_onednn, FlopCounterMode(display=False) as counter:
        model(x)
    model.train(training)
    return counter.get_total_flops() / 2e9
