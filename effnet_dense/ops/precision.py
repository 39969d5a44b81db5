"""The floating type that the stand-in computes in."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return the tensors in one type: the widest among them, and float32 at least.

    torchvision's CPU kernels lack bfloat16, refuse mixed types, and coordinates in half precision
    lose whole pixels.
    """
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return tuple(tensor.to(dtype) for tensor in tensors)
