"""Convert operands for operators that need more than half precision."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return the tensors in their widest common type, at least float32.

    torchvision's CPU kernels lack bfloat16 and reject mixed types, and coordinates in half
    precision are off by entire pixels.
    """
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return tuple(tensor.to(dtype) for tensor in tensors)
