"""How many kernels CUDA starts for an operator.

Operators on lists of tensors (`_foreach_…`, `_fused_…`) start one for as many tensors and blocks as
fit into a kernel's arguments: torch's aten/src/ATen/native/cuda/MultiTensorApply.cuh.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

aten = torch.ops.aten


class Limits(NamedTuple):
    """What a kernel's arguments hold.

    Attributes:
        tensors: Tensors of each list, for kernels of one to five lists.
        blocks: Blocks.
    """

    tensors: tuple[int, ...]
    blocks: int


CUDA_12 = Limits((110, 64, 48, 36, 30), 320)
CUDA_13 = Limits((770, 448, 336, 252, 210), 2240)
"""In builds of torch for CUDA 13, since 2.10 or earlier (2.14 was read)."""
CHUNK = 65536
"""Elements that a block computes."""

NO_KERNEL = (
    *(aten.detach, aten.lift_fresh, aten._unsafe_view, aten.alias),
    *(aten.empty, aten.empty_like, aten.empty_strided, aten.new_empty, aten.new_empty_strided),
)
"""Operators that only allocate, or that torch does not mark as views."""
STEPS = 'state_steps'
"""Argument of fused optimizers: one number per tensor, which is no list of the kernel's."""


def launches(operator: Any, args: tuple[Any, ...]) -> int:
    """Return the kernels of one call: one, none for views, and several for lists of tensors."""
    if operator.is_view or operator.overloadpacket in NO_KERNEL:
        return 0
    names = [argument.name for argument in operator._schema.arguments]
    lists = [
        value
        for name, value in zip(names, args, strict=False)
        if name != STEPS and isinstance(value, list | tuple) and _are_tensors(value)
    ]
    grouped = str(operator.overloadpacket).startswith(('aten._foreach_', 'aten._fused_'))
    return grouped_launches(lists[0], len(lists)) if grouped and lists else 1


def grouped_launches(tensors: Sequence[Tensor], lists: int, limits: Limits = CUDA_13) -> int:
    """Return the kernels for some lists of tensors of the same sizes.

    Args:
        tensors: One of the lists.
        lists: Their number, 1 to 5.
        limits: Of the build.
    """
    most = limits.tensors[lists - 1]
    count = held = blocks = 0
    for tensor in tensors:
        chunks = -(-tensor.numel() // CHUNK)
        held += chunks > 0
        for chunk in range(1, chunks + 1):
            blocks += 1
            if (held == most and chunk == chunks) or blocks == limits.blocks:
                count, blocks = count + 1, 0
                held = int(chunk < chunks)  # the rest of this tensor comes first
    return count + (blocks > 0)


def _are_tensors(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, Tensor) for value in values)
