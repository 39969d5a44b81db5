"""torch.autocast for custom autograd functions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor

AVAILABLE = {
    device: torch.amp.is_autocast_available(device)
    for device in ('cpu', 'cuda', 'hpu', 'meta', 'mps', 'mtia', 'xla', 'xpu')
}
"""Asked once: torch.compile traces the functions below, and PyTorch 2.6 and 2.11 break graphs
there."""

is_any_autocast_enabled: Callable[[], bool] = torch._C._is_any_autocast_enabled


def cast_operands(*tensors: Tensor | None) -> list[Any]:
    """Cast tensors as autocast casts a convolution's operands; float64 and None are unchanged."""
    return [tensor if tensor is None else cast_operand(tensor) for tensor in tensors]


def cast_operand(tensor: Tensor) -> Tensor:
    """Cast one tensor as `cast_operands` does."""
    device = tensor.device.type
    if tensor.dtype == torch.float64 or not _has_autocast(device):
        return tensor
    if not torch.is_autocast_enabled(device):
        return tensor
    return tensor.to(torch.get_autocast_dtype(device))


def current_autocast(device: str) -> Callable[[], AbstractContextManager]:
    """Return a factory of context managers that restore the current autocast state."""
    if not _has_autocast(device):
        return nullcontext
    dtype, enabled = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
    return partial(torch.autocast, device, dtype, enabled, cache_enabled=False)


def _has_autocast(device: str) -> bool:
    known = AVAILABLE.get(device)
    return torch.amp.is_autocast_available(device) if known is None else known
