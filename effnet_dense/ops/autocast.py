"""torch.autocast for operators of one's own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor


def as_autocast_does(*tensors: Tensor | None) -> list[Any]:
    """What a convolution gets of its operands under autocast, which leaves float64 alone."""
    return [tensor if tensor is None else _cast(tensor) for tensor in tensors]


def _cast(tensor: Tensor) -> Tensor:
    device = tensor.device.type
    if tensor.dtype == torch.float64 or not torch.amp.is_autocast_available(device):
        return tensor
    if not torch.is_autocast_enabled(device):
        return tensor
    return tensor.to(torch.get_autocast_dtype(device))


def same_autocast(device: str) -> Callable[[], AbstractContextManager]:
    """A way back into the state of autocast in which this is called."""
    if not torch.amp.is_autocast_available(device):
        return nullcontext
    dtype, enabled = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
    return partial(torch.autocast, device, dtype, enabled, cache_enabled=False)
